/* /proc/PID/map_files: names, modes and texts of the links, what they lead to, and who may follow them. */
#include "call.h"
#include <dirent.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define DIRECTORY "/proc/self/map_files/"

static const char *path_of(long first, long last) {
  static char path[128];
  sprintf(path, DIRECTORY "%lx-%lx", (unsigned long)AT(first), (unsigned long)AT(last));
  return path;
}

static void one(const char *what, const char *path) {
  struct stat s;
  char text[256] = "";
  printf("%s: ", what);
  if (lstat(path, &s)) { puts(errno_name(errno)); return; }
  ssize_t n = readlink(path, text, sizeof text - 1);
  printf("mode %o, uid %d, links %ld, %s", s.st_mode, s.st_uid, (long)s.st_nlink, n < 0 ? errno_name(errno) : text);
  int fd = open(path, O_RDONLY);
  char bytes[8] = "";
  if (fd < 0) printf(", open %s\n", errno_name(errno));
  else { printf(", read %ld", (long)pread(fd, bytes, 3, 0)); printf(" %s\n", bytes); close(fd); }
}

static void list(const char *what) {
  DIR *d = opendir(DIRECTORY);
  printf("%s:", what);
  if (!d) { puts(errno_name(errno)); return; }
  for (struct dirent *e; (e = readdir(d)); ) {
    unsigned long start, end;
    if (sscanf(e->d_name, "%lx-%lx", &start, &end) != 2) { printf(" %s", e->d_name); continue; }
    if (start >= (unsigned long)BASE && start < (unsigned long)AT(256))
      printf(" %ld-%ld type %d", (start - (unsigned long)BASE) / PG, (end - (unsigned long)BASE) / PG, e->d_type);
  }
  puts("");
  closedir(d);
}

static void other_user(void) {
  if (setgid(7) || setuid(7)) return;
  list("not dumpable");
  is("fd", open("/proc/self/fd", O_RDONLY | O_DIRECTORY) >= 0 ? 0 : -1), is("fdinfo", open("/proc/self/fdinfo", O_RDONLY) >= 0 ? 0 : -1);
  char text[64];
  is("readlink of fd", readlink("/proc/self/fd/3", text, sizeof text) > 0 ? 0 : -1);
  is("open of fd", open("/proc/self/fd/3", O_RDONLY) >= 0 ? 0 : -1);
  sprintf(text, "/proc/%d/fd", getppid());
  is("of the parent", open(text, O_RDONLY));
  prctl(PR_SET_DUMPABLE, 1);
  list("dumpable");
  one("file", path_of(0, 2));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  struct stat s;
  int fd = open("/tmp/file", O_RDWR | O_CREAT, 0644), rdonly = open("/tmp/file", O_RDONLY), gone = open("/tmp/gone", O_RDWR | O_CREAT, 0600);
  (void)!write(fd, "abc", 3), (void)!write(gone, "xyz", 3);
  (void)!ftruncate(fd, 4 * PG);
  unlink("/tmp/gone");
  int memory = memfd_create("memory", 0);
  (void)!write(memory, "mem", 3);
  mmap(AT(0), 2 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  mmap(AT(4), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, PG);
  mmap(AT(6), PG, PROT_READ, MAP_PRIVATE | MAP_FIXED, rdonly, 0);
  mmap(AT(8), PG, RW, MAP_SHARED | MAP_FIXED, gone, 0);
  mmap(AT(10), PG, RW, MAP_SHARED | MAP_FIXED, memory, 0);
  map(12, 1, RW, PRIV);
  map(14, 1, RW, SHAR);
  stat(DIRECTORY, &s);
  printf("mode %o, uid %d\n", s.st_mode, s.st_uid);
  list("all");
  one("file", path_of(0, 2)), one("read-only", path_of(4, 5)), one("private", path_of(6, 7)), one("unlinked", path_of(8, 9)), one("memfd", path_of(10, 11));
  one("anonymous", path_of(12, 13)), one("a part", path_of(0, 1)), one("more", path_of(0, 3)), one("nothing", path_of(20, 21));
  one("no name", DIRECTORY "x"), one("no range", DIRECTORY "1000"), one("zero", DIRECTORY "0-1000"), one("upside down", DIRECTORY "2000-1000");
  is("write through it", ({ int w = open(path_of(8, 9), O_WRONLY); long r = w < 0 ? -1 : pwrite(w, "new", 3, 0); close(w); r; }));
  printf("%.3s\n", AT(8));
  is("create", open(DIRECTORY "1-2", O_CREAT | O_WRONLY, 0600));
  is("unlink", unlink(path_of(0, 2)));
  is("rmdir", rmdir("/proc/self/map_files"));
  is("of a thread", open("/proc/thread-self/map_files", O_RDONLY));
  mprotect(AT(0), PG, PROT_READ);
  list("cut");
  munmap(AT(0), 2 * PG);
  list("unmapped");
  mmap(AT(0), 2 * PG, RW, MAP_SHARED | MAP_FIXED, fd, 0);
  in_child(other_user);
  return 0;
}
