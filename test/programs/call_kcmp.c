/* kcmp(2): every type, with what processes share and what they do not. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILE_, VM, FILES, FS, SIGHAND, IO, SYSVSEM, EPOLL_TFD };
static const char *const names[] = {"file", "vm", "files", "fs", "sighand", "io", "sysvsem", "epoll_tfd"};
struct slot { uint32_t efd, tfd, toff; };

static long cmp(int a, int b, int type, unsigned long x, unsigned long y) { return syscall(272, a, b, type, x, y); }
/* Which of two different ones comes first is not the program's business. */
static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %s\n", what, r == 0 ? "same" : r == 1 || r == 2 ? "different" : "unordered");
}
static void all(const char *who, int a, int b) {
  printf("%s:", who);
  for (int type = VM; type < EPOLL_TFD; type++) {
    long r = cmp(a, b, type, 0, 0);
    printf(" %s %s", names[type], r < 0 ? errno_name(errno) : r == 0 ? "same" : "different");
  }
  puts("");
}
static int ready[2], go[2];
static int wait_there(void *unused) {
  char c;
  write(ready[1], "x", 1), read(go[0], &c, 1);
  syscall(SYS_exit, 0);
  return 0;
}
static char stack[65536];
static int tid;
static void *in_thread(void *unused) {
  char c;
  tid = syscall(SYS_gettid);
  write(ready[1], "x", 1), read(go[0], &c, 1);
  return NULL;
}

int main(void) {
  char c;
  setvbuf(stdout, NULL, _IOFBF, 65536);
  pipe(ready), pipe(go);
  int me = getpid();
  all("itself", me, me);
  show("type 8", cmp(me, me, 8, 0, 0));
  show("type -1", cmp(me, me, -1, 0, 0));
  show("nobody", cmp(me, 0x7ffffff0, VM, 0, 0));
  show("nobody first", cmp(0x7ffffff0, me, VM, 0, 0));
  show("0", cmp(0, me, VM, 0, 0));
  show("-1", cmp(me, -1, VM, 0, 0));
  show("nobody, type 8", cmp(0x7ffffff0, me, 8, 0, 0));
  int f = open("/proc/self/stat", O_RDONLY), g = dup(f), h = open("/proc/self/stat", O_RDONLY), p = open("/", O_PATH);
  show("one file", cmp(me, me, FILE_, f, f));
  show("dup", cmp(me, me, FILE_, f, g));
  show("opened twice", cmp(me, me, FILE_, f, h));
  show("O_PATH", cmp(me, me, FILE_, p, p));
  show("bad first", cmp(me, me, FILE_, 99, f));
  show("bad second", cmp(me, me, FILE_, f, 99));
  show("-1", cmp(me, me, FILE_, -1UL, f));
  show("2^32 and more", cmp(me, me, FILE_, 1UL << 32 | f, f));
  int pid = fork();
  if (pid == 0) wait_there(NULL);
  read(ready[0], &c, 1);
  all("child", me, pid), all("child first", pid, me);
  show("file of a child", cmp(me, pid, FILE_, f, f));
  show("another file of a child", cmp(me, pid, FILE_, f, h));
  write(go[1], "x", 1), waitpid(pid, NULL, 0);
  static const struct { const char *name; int flags; } kinds[] = {{"CLONE_VM", CLONE_VM}, {"CLONE_FILES", CLONE_FILES}, {"CLONE_FS", CLONE_FS}, {"CLONE_VM and SIGHAND", CLONE_VM | CLONE_SIGHAND}, {"all", CLONE_VM | CLONE_SIGHAND | CLONE_FILES | CLONE_FS}};
  for (int i = 0; i < 5; i++) {
    pid = clone(wait_there, stack + sizeof stack, kinds[i].flags | SIGCHLD, NULL);
    read(ready[0], &c, 1);
    all(kinds[i].name, me, pid);
    write(go[1], "x", 1), waitpid(pid, NULL, 0);
  }
  pthread_t t;
  pthread_create(&t, NULL, in_thread, NULL);
  read(ready[0], &c, 1);
  all("thread", me, tid);
  show("file of a thread", cmp(me, tid, FILE_, f, g));
  write(go[1], "x", 1), pthread_join(t, NULL);
  pid = fork();
  if (pid == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  all("zombie", me, pid);
  show("file of a zombie", cmp(me, pid, FILE_, f, f));
  wait(NULL);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    show("another user's", cmp(me, getpid(), VM, 0, 0));
    show("another user's, type 8", cmp(me, getpid(), 8, 0, 0));
    show("its own", cmp(getpid(), getpid(), VM, 0, 0));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  int ep = epoll_create1(0), copy = dup(ready[0]);
  struct epoll_event e = {EPOLLIN};
  epoll_ctl(ep, EPOLL_CTL_ADD, ready[0], &e);
  epoll_ctl(ep, EPOLL_CTL_ADD, copy, &e);
  struct slot s = {ep, ready[0], 0};
  show("watched", cmp(me, me, EPOLL_TFD, ready[0], (unsigned long)&s));
  show("watched, by its copy", cmp(me, me, EPOLL_TFD, copy, (unsigned long)&s));
  show("another file", cmp(me, me, EPOLL_TFD, f, (unsigned long)&s));
  s.toff = 1;
  show("second of one number", cmp(me, me, EPOLL_TFD, ready[0], (unsigned long)&s));
  s.toff = 0, s.tfd = f;
  show("not watched", cmp(me, me, EPOLL_TFD, f, (unsigned long)&s));
  s.efd = f;
  show("no epoll", cmp(me, me, EPOLL_TFD, f, (unsigned long)&s));
  s.efd = 99;
  show("bad epoll", cmp(me, me, EPOLL_TFD, f, (unsigned long)&s));
  show("bad file", cmp(me, me, EPOLL_TFD, 99, (unsigned long)&s));
  show("slot nowhere", cmp(me, me, EPOLL_TFD, f, 8));
  show("bad file, slot nowhere", cmp(me, me, EPOLL_TFD, 99, 8));
  return 0;
}
