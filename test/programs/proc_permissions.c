/* Who may look into whose memory through /proc, and what is left of a file when its process ends or becomes another program. */
// flags: -Wno-unused-result
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

static const char *const files[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "pagemap", "mem", "environ", "auxv", "clear_refs", "status", "stat", "statm", "limits", "oom_score", "oom_score_adj", "oom_adj", "coredump_filter", "cmdline", "io", "personality"};
enum { FILES = sizeof files / sizeof *files };

static int open_of(int pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
  return open(path, strcmp(name, "clear_refs") ? O_RDONLY : O_WRONLY);
}

/* Opens each and reads or writes it. */
static void look(const char *what, int pid) {
  printf("%s:", what);
  for (int i = 0; i < FILES; i++) {
    char byte[8];
    int fd = open_of(pid, files[i]);
    if (fd < 0) printf(" %s %s", files[i], errno_name(errno));
    else if (!strcmp(files[i], "mem") || !strcmp(files[i], "clear_refs")) printf(" %s open", files[i]);
    else if (read(fd, byte, 8) < 0) printf(" %s read %s", files[i], errno_name(errno));
    close(fd);
  }
  puts("");
}

static void owners(const char *what, int pid) {
  static const char *const some[] = {"", "maps", "status", "pagemap", "fd", "task", "oom_score_adj", "mem"};
  printf("%s:", what);
  for (unsigned i = 0; i < sizeof some / sizeof *some; i++) {
    char path[64];
    struct stat at;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, some[i]);
    if (stat(path, &at) < 0) printf(" %s %s", some[i], errno_name(errno));
    else printf(" %s %o %d:%d", some[i], at.st_mode & 07777, at.st_uid, at.st_gid);
  }
  puts("");
}

static int to[2], back[2];

/* A process that is somebody, waits for a byte, and ends. */
static int somebody(int uid, int gid, int dumpable) {
  int ready[2];
  char byte;
  pipe(ready);
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    close(to[1]);
    if (gid) setresgid(gid, gid, gid);
    if (uid) setresuid(uid, uid, uid);
    if (dumpable >= 0) prctl(PR_SET_DUMPABLE, dumpable, 0, 0, 0);
    write(ready[1], "x", 1);
    for (;;) pause();
  }
  read(ready[0], &byte, 1);
  close(ready[0]), close(ready[1]);
  return pid;
}

static void finish(int pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}

/* Runs with other users: as this one, of those. */
static void as(int uid, int gid, void (*what)(int), int argument) {
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    if (gid) setresgid(gid, gid, gid);
    if (uid) setresuid(uid, uid, uid);
    what(argument);
    fflush(stdout);
    _exit(0);
  }
  waitpid(pid, NULL, 0);
}

static void look_at(int pid) { look("  looking", pid); }

static void frames(int argument) {
  static char page[4096];
  *page = 1;
  unsigned long entry = 0;
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  int fd = open("/proc/self/pagemap", O_RDONLY);
  if (fd < 0) fd = argument;
  ssize_t n = pread(fd, &entry, 8, (unsigned long)page / 4096 * 8);
  printf("  pagemap %zd: %s, frame number %s\n", n, entry >> 63 ? "present" : "absent", entry & 0x7fffffffffffff ? "shown" : "hidden");
}

static void own(int argument) {
  (void)argument;
  owners("  own files after setresuid", getpid());
  look("  own files", getpid());
  prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
  owners("  dumpable again", getpid());
  look("  own files", getpid());
}

static void permissions(void) {
  int root = somebody(0, 0, -1), five = somebody(5, 6, 1), hidden = somebody(5, 6, 0), other_group = somebody(5, 7, 1);
  owners("root's", root), owners("five's", five), owners("hidden", hidden);
  look("root at root", root), look("root at five", five), look("root at hidden", hidden);
  puts("five at root"), as(5, 6, look_at, root);
  puts("five at five"), as(5, 6, look_at, five);
  puts("five at one of another group"), as(5, 6, look_at, other_group);
  puts("five at hidden"), as(5, 6, look_at, hidden);
  puts("six at five"), as(6, 6, look_at, five);
  puts("five itself"), as(5, 6, own, 0);
  int fd = open("/proc/self/pagemap", O_RDONLY);
  puts("root's pagemap"), frames(fd);
  puts("five's pagemap"), as(5, 6, frames, fd);
  close(fd);
  finish(root), finish(five), finish(hidden), finish(other_group);
}

static void read_all(const char *what, int *fds) {
  printf("%s:", what);
  for (int i = 0; i < FILES; i++) {
    static char text[65536];
    if (!strcmp(files[i], "clear_refs")) {
      ssize_t n = write(fds[i], "1", 1);
      printf(" %s %s", files[i], n < 0 ? errno_name(errno) : "ok");
      continue;
    }
    ssize_t n = pread(fds[i], text, !strcmp(files[i], "pagemap") ? 8 : sizeof text, !strcmp(files[i], "mem") ? 0x10000 : 0);
    printf(" %s %s", files[i], n < 0 ? errno_name(errno) : n == 0 ? "empty" : "bytes");
  }
  puts("");
}

static void open_all(int pid, int *fds) {
  for (int i = 0; i < FILES; i++) fds[i] = open_of(pid, files[i]);
}

static void close_all(int *fds) {
  for (int i = 0; i < FILES; i++) close(fds[i]);
}

static void ends(void) {
  int fds[FILES];
  int pid = somebody(0, 0, -1);
  open_all(pid, fds);
  read_all("alive", fds);
  kill(pid, SIGKILL);
  siginfo_t info;
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  read_all("zombie", fds);
  owners("zombie's", pid);
  look("zombie", pid);
  waitpid(pid, NULL, 0);
  read_all("gone", fds);
  close_all(fds);
  look("gone", pid);
}

/* The files of a process that becomes another program show the memory that is gone. */
static void becomes(const char *self) {
  int fds[FILES];
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    char byte;
    close(to[1]), close(back[0]);
    read(to[0], &byte, 1);
    char *const arguments[] = {"again", "wait", NULL};
    dup2(to[0], 0), dup2(back[1], 1);
    execve(self, arguments, NULL);
    _exit(1);
  }
  open_all(pid, fds);
  int maps = open_of(pid, "maps");
  char text[32], byte;
  printf("maps in pieces: %zd", read(maps, text, 10));
  write(to[1], "x", 1);
  read(back[0], &byte, 1);
  printf(" %d\n", read(maps, text, 10) >= 0);
  for (int i = 0; i < 100; i++) if (read(maps, text, 31) <= 0) break;
  printf("then %zd\n", read(maps, text, 10));
  read_all("another program", fds);
  close_all(fds), close(maps);
  open_all(pid, fds);
  read_all("opened again", fds);
  close_all(fds);
  finish(pid);
}

/* Two that share their memory: one ends, the files of both. */
static void shares(void) {
  int fds[FILES];
  fflush(stdout);
  int pid = vfork();
  if (pid == 0) _exit(0);
  printf("vfork child ended: %d\n", waitpid(pid, NULL, 0) == pid);
  open_all(getpid(), fds);
  read_all("self", fds);
  close_all(fds);
}

static void adjust(void) {
  static const char *const values[] = {"0", "15", "-17", "-16", "7", "16", "-18", "x", "", "-1"};
  for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
    char text[32] = "";
    int fd = open("/proc/self/oom_adj", O_RDWR);
    ssize_t n = write(fd, values[i], strlen(values[i]));
    int error = errno;
    pread(fd, text, sizeof text - 1, 0);
    printf("oom_adj \"%s\": %s reads %.*s", values[i], n < 0 ? errno_name(error) : "ok", (int)strcspn(text, "\n"), text);
    close(fd);
    fd = open("/proc/self/oom_score_adj", O_RDWR);
    memset(text, 0, sizeof text), pread(fd, text, sizeof text - 1, 0);
    printf(" score %s", text);
    close(fd);
  }
  int fd = open("/proc/self/oom_score_adj", O_WRONLY);
  write(fd, "0", 1), close(fd);
}

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "wait")) {
    write(1, "x", 1);
    for (;;) pause();
  }
  (void)argc;
  char self[256] = "";
  readlink("/proc/self/exe", self, sizeof self - 1);
  (void)argv;
  pipe(to), pipe(back);
  permissions();
  ends();
  becomes(self);
  shares();
  adjust();
  return 0;
}
