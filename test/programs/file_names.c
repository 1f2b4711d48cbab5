/* Names in /tmp: making, opening, renaming, linking and removing them, wrong in every way that there is. */
#define _GNU_SOURCE
#include <dirent.h>
#include "errno_name.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define BAD ((void *)0x700000000L)

static char buf[1 << 16];

static void show(const char *what, long r) { printf("%s = %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
#define T(call) do { errno = 0; show(#call, (long)(call)); } while (0)

static void st(const char *path) {
  struct stat s;
  if (lstat(path, &s)) show(path, -1);
  else printf("%s: mode %o links %ld size %ld block %ld blocks %ld\n", path, s.st_mode, (long)s.st_nlink, (long)s.st_size, (long)s.st_blksize, (long)s.st_blocks);
}

static void touch(const char *path, const char *text) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0644);
  write(fd, text, strlen(text));
  close(fd);
}

static void names(const char *path) {
  DIR *d = opendir(path);
  struct dirent *e;
  while (d && (e = readdir(d))) printf(" %s/%d", e->d_name, e->d_type);
  printf("\n");
  if (d) closedir(d);
}

static int renameat2_(int a, const char *from, int b, const char *to, unsigned flags) { return syscall(SYS_renameat2, a, from, b, to, flags); }

static void making(void) {
  T(mkdir("/tmp/t", 0777));
  T(chdir("/tmp/t"));
  T(umask(022));
  T(umask(027));
  T(umask(022));
  T(mkdir("d", 0777));
  T(mkdir("d", 0777));
  T(mkdir("d/", 0777));
  T(mkdir(".", 0777));
  T(mkdir("..", 0777));
  T(mkdir("/", 0777));
  T(mkdir("n/e", 0777));
  T(mkdir("", 0777));
  T(mkdir("e//", 06777));
  st("e");
  touch("f", "hello");
  st("f");
  st(".");
  st("f/");
  st("f/.");
  st("f/..");
  st("d/../f");
  T(mkdir("f/x", 0777));
  T(mkdir("f/", 0777));
  T(mkdir("f", 0777));
  T(symlink("f", "s"));
  T(symlink("f", "s"));
  T(symlink("", "s2"));
  T(symlink("nowhere", "dang"));
  T(symlink("l2", "l1"));
  T(symlink("l1", "l2"));
  T(symlink("d", "sd"));
  T(symlink("x", "new/"));
  st("s");
  st("sd");
  st("sd/");
  st("dang");
  st("dang/");
  st("l1/");
}

static void opening(void) {
  T(open("f", O_CREAT | O_EXCL, 0644));
  T(open("dang", O_CREAT | O_EXCL | O_WRONLY, 0644));
  T(open("l1", O_RDONLY));
  T(open("l1", O_CREAT | O_RDWR, 0600));
  T(open("s", O_NOFOLLOW));
  T(open("s", O_NOFOLLOW | O_DIRECTORY));
  T(open("f", O_DIRECTORY));
  T(open("d", O_WRONLY));
  T(open("d", O_RDWR));
  T(open("d", O_CREAT, 0644));
  T(open("d", O_CREAT | O_DIRECTORY, 0644));
  T(open("nx", O_CREAT | O_DIRECTORY, 0644));
  T(open("nx/", O_CREAT | O_RDWR, 0644));
  T(open("f/", O_CREAT | O_RDWR, 0644));
  T(open("f/", O_RDONLY));
  T(open(".", O_CREAT, 0644));
  T(open("d/..", O_CREAT | O_RDWR, 0644));
  T(open("", O_RDONLY));
  T(open(BAD, O_RDONLY));
  T(open("d", O_TRUNC));
  T(open("d", O_TMPFILE, 0600));
  T(open("d", O_TMPFILE | O_CREAT | O_RDWR, 0600));
  T(open("f", O_TMPFILE | O_RDWR, 0600));
  T(open("nothere", O_TMPFILE | O_RDWR, 0600));
  {
    int fd = open("dang", O_CREAT | O_WRONLY, 0640);
    st("nowhere");
    close(fd);
  }
  T(open("s/", O_RDONLY));
  T(open("s/x", O_CREAT, 0600));
  T(openat(99, "f", 0));
  T(openat(99, "/tmp/t/f", 0) > 0);
}

static void renaming(void) {
  touch("f", "hello");
  touch("g", "other");
  touch("d/x", "");
  mkdir("empty", 0755);
  T(rename("nope", "x"));
  T(rename("f", "d"));
  T(rename("d", "f"));
  T(rename("empty", "d"));
  T(rename("d", "d/sub"));
  T(rename("d", "d"));
  T(rename("d/x", "d"));
  T(rename("d", "."));
  T(rename(".", "x"));
  T(rename("d/..", "x"));
  T(rename("f", "x/"));
  T(rename("f/", "x"));
  T(rename("f", "g/"));
  T(rename("nope/", "x"));
  T(rename("f", "nodir/x"));
  T(rename("f", "f"));
  T(rename("f", ""));
  T(rename("", "f"));
  T(rename("f", "/proc/x"));
  T(rename("s", "f/x"));
  T(rename("/proc/self", "/proc/x"));
  T(rename("/proc/version", "/proc/x"));
  T(renameat2_(-100, "f", -100, "g", 1));
  T(renameat2_(-100, "f", -100, "g", 2));
  T(renameat2_(-100, "f", -100, "nope", 2));
  T(renameat2_(-100, "f", -100, "d", 2));
  T(renameat2_(-100, "f", -100, "d", 2));
  T(renameat2_(-100, "f", -100, "g", 3));
  T(renameat2_(-100, "f", -100, "g", 16));
  T(renameat2_(-100, "d", -100, "d/x", 2));
  T(renameat2_(-100, "d/x", -100, "d", 2));
  T(renameat2_(-100, "f", -100, ".", 1));
  T(renameat2_(-100, "d", -100, "f/", 2));
  T(renameat2_(-100, "f/", -100, "d", 2));
}

static void linking(void) {
  T(link("f", "h"));
  T(link("f", "h"));
  T(link("d", "h2"));
  T(link("s", "hs"));
  st("hs");
  T(linkat(-100, "s", -100, "hf", AT_SYMLINK_FOLLOW));
  st("hf");
  T(link("f", "h3/"));
  T(link("f/", "h4"));
  T(link("nope", "h5"));
  T(link("f", "/proc/h"));
  T(linkat(-100, "f", -100, "h6", 1));
  T(link("f", "nodir/h"));
}

static void removing(void) {
  T(unlink("d"));
  T(unlink("d/"));
  T(unlink("f/"));
  T(unlink("nope"));
  T(unlink("nope/"));
  T(unlink("."));
  T(unlink(".."));
  T(unlink("/"));
  T(unlink("sd/"));
  T(unlink("/proc/self"));
  T(unlink("/proc/version"));
  T(unlinkat(-100, "f", 1));
  T(rmdir("f"));
  T(rmdir("d"));
  T(rmdir("."));
  T(rmdir(".."));
  T(rmdir("d/."));
  T(rmdir("d/.."));
  T(rmdir("/"));
  T(rmdir("/proc"));
  T(rmdir("nope"));
  T(rmdir("sd"));
  T(rmdir("sd/"));
  T(rmdir("empty/"));
  T(rmdir("f/"));
  T(rmdir("/proc/sys"));
  T(mkdir("/proc/x", 0700));
  T(open("/proc/x", O_CREAT | O_RDWR, 0600));
  T(symlink("a", "/proc/x"));
  names(".");
}

static void in_a_removed_directory(void) {
  T(mkdir("gone", 0755));
  T(chdir("gone"));
  T(rmdir("../gone"));
  T(syscall(SYS_getcwd, buf, 100));
  T(open("x", O_CREAT | O_RDWR, 0600));
  T(mkdir("x", 0700));
  int fd = open(".", O_RDONLY);
  T(syscall(SYS_getdents64, fd, buf, 1000));
  close(fd);
  struct stat s;
  T(stat(".", &s));
  printf("nlink %lu\n", (long)s.st_nlink);
  T(chdir(".."));
  T(readlink("/proc/self/cwd", buf, 100));
  T(open("x", 0));
}

int main(void) {
  making();
  opening();
  renaming();
  linking();
  removing();
  in_a_removed_directory();
  return 0;
}
