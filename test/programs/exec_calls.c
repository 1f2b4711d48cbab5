/* execve: what a program keeps and what it loses; from a thread, from vfork, its errors. Runs itself with a role. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_name.h"

#define fork() (fflush(stdout), fork())

static char *self;
extern char **environ;
static const char *err(long r) { return r < 0 ? errno_name(errno) : "ok"; }

static int roles(int argc, char **argv) {
  if (strcmp(argv[1], "exit") == 0) return atoi(argv[2]);
  if (strcmp(argv[1], "args") == 0) {
    printf("argc %d", argc);
    for (int i = 1; i < argc; i++) printf(" [%s]", argv[i]);
    for (char **e = environ; *e; e++) printf(" {%s}", *e);
    printf("\n");
    return 0;
  }
  if (strcmp(argv[1], "inherited") == 0) {
    struct sigaction a;
    sigset_t mask, pending;
    char name[16];
    stack_t stack;
    struct rlimit limit;
    sigaction(SIGUSR1, 0, &a), printf("handler %s", a.sa_handler == SIG_DFL ? "default" : "kept");
    sigaction(SIGUSR2, 0, &a), printf(" ignored %s", a.sa_handler == SIG_IGN ? "kept" : "lost");
    sigprocmask(SIG_BLOCK, 0, &mask), printf(" mask %d%d", sigismember(&mask, SIGHUP), sigismember(&mask, SIGTERM));
    sigpending(&pending), printf(" pending %d", sigismember(&pending, SIGHUP));
    sigaltstack(0, &stack), printf(" altstack %s", stack.ss_flags & SS_DISABLE ? "none" : "kept");
    prctl(PR_GET_NAME, name), printf(" name %s", strncmp(name, "exec_calls", 10) == 0 ? "new" : name);
    getrlimit(RLIMIT_NOFILE, &limit), printf(" files %ld", (long)limit.rlim_cur);
    printf(" open %d closed %s", fcntl(atoi(argv[2]), F_GETFD), fcntl(atoi(argv[3]), F_GETFD) < 0 ? "yes" : "no");
    printf(" pid %d ppid %d group %d cwd", getpid() == atoi(argv[4]), getppid() == atoi(argv[5]), getpgrp() == atoi(argv[4]));
    char cwd[64];
    printf(" %s umask %o threads %d\n", getcwd(cwd, 64), umask(0), syscall(SYS_gettid) == getpid());
    return 6;
  }
  return 99;
}

static char *number(int n) {
  char *s = malloc(12);
  sprintf(s, "%d", n);
  return s;
}

static void handler(int s) {}

static void prepare(void) {
  signal(SIGUSR1, handler), signal(SIGUSR2, SIG_IGN);
  sigset_t mask;
  sigemptyset(&mask), sigaddset(&mask, SIGHUP), sigprocmask(SIG_BLOCK, &mask, 0);
  raise(SIGHUP);
  sigaltstack(&(stack_t){.ss_sp = malloc(16384), .ss_size = 16384}, 0);
  prctl(PR_SET_NAME, "before");
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){64, 64});
  setpgid(0, 0);
  chdir("/tmp");
  umask(027);
}

static void become(void) {
  int open_fd = open("/", O_RDONLY), closed_fd = open("/", O_RDONLY | O_CLOEXEC);
  prepare();
  execv(self, (char *[]){self, "inherited", number(open_fd), number(closed_fd), number(getpid()), number(getppid()), 0});
}

static volatile int spinning;
static void *spin(void *arg) {
  for (;;) spinning = 1;
}
static void *run_it(void *arg) {
  become();
  return 0;
}

static void show(const char *what, pid_t p) {
  int status;
  waitpid(p, &status, 0);
  printf("%s: %x\n", what, status);
}

static void kept(void) {
  pid_t p = fork();
  if (p == 0) become(), _exit(1);
  show("plain", p);
  p = fork();
  if (p == 0) {
    pthread_t t;
    for (int i = 0; i < 3; i++) pthread_create(&t, 0, spin, 0);
    while (!spinning) sched_yield();
    become();
    _exit(1);
  }
  show("first thread of four", p);
  p = fork();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, spin, 0);
    while (!spinning) sched_yield();
    pthread_create(&t, 0, run_it, 0);
    for (;;) pause();
  }
  show("another thread", p);
  p = fork();
  if (p == 0) {
    pthread_t t;
    pthread_create(&t, 0, run_it, 0);
    syscall(SYS_exit, 0);
  }
  show("the first has ended", p);
}

static void with_vfork(void) {
  static volatile int seen;
  pid_t p = vfork();
  if (p == 0) {
    seen = 1;
    execl(self, self, "exit", "21", (char *)0);
    _exit(1);
  }
  printf("vfork %d", seen), show("", p);
  p = vfork();
  if (p == 0) {
    execl("/none", "none", (char *)0);
    seen = errno;
    _exit(22);
  }
  printf("vfork %s", errno_name(seen)), show("", p);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 5, "/", O_RDONLY, 0);
  int r = posix_spawn(&p, self, &actions, 0, (char *[]){self, "exit", "23", 0}, environ);
  printf("posix_spawn %d", r), show("", p);
  r = posix_spawn(&p, "/none", 0, 0, (char *[]){"none", 0}, environ);
  printf("posix_spawn %s\n", errno_name(r));
  fflush(stdout);
  printf("system %x\n", system("/none 2>/dev/null") == -1);
}

static void arguments(void) {
  pid_t p = fork();
  if (p == 0) execve(self, (char *[]){"name", "args", "", "two words", "\xc3\xa9", 0}, (char *[]){"A=1", "", "B", 0});
  show("args", p);
  p = fork();
  if (p == 0) execve(self, (char *[]){"name", "args", 0}, 0);
  show("no environment", p);
}

static void errors(void) {
  char *args[] = {"x", 0}, **env = args + 1;
  int fd = open("/tmp/text", O_CREAT | O_WRONLY, 0644);
  write(fd, "just text", 9);
  long r = execve("/tmp/text", args, env);
  printf("not executable %s\n", err(r));
  fchmod(fd, 0755);
  close(fd);
  r = execve("/tmp/text", args, env), printf("no format %s\n", err(r));
  fd = open("/tmp/empty", O_CREAT | O_WRONLY, 0755), close(fd);
  r = execve("/tmp/empty", args, env), printf("empty %s\n", err(r));
  r = execve("/tmp", args, env), printf("directory %s\n", err(r));
  r = execve("/none", args, env), printf("none %s\n", err(r));
  r = execve("", args, env), printf("empty path %s\n", err(r));
  r = execve("/tmp/text/more", args, env), printf("below a file %s\n", err(r));
  r = execve((char *)8, args, env), printf("bad path %s\n", err(r));
  r = execve(self, (char **)8, env), printf("bad args %s\n", err(r));
  r = execve(self, args, (char **)8), printf("bad environment %s\n", err(r));
  r = execve(self, (char *[]){"x", (char *)8, 0}, env), printf("bad argument %s\n", err(r));
  char *long_path = malloc(5000);
  memset(long_path, 'a', 4999), long_path[4999] = 0;
  r = execve(long_path, args, env), printf("long path %s\n", err(r));
  char *big = malloc(200001);
  memset(big, 'b', 200000), big[200000] = 0;
  r = execve(self, (char *[]){"x", big, 0}, env), printf("long argument %s\n", err(r));
  big[131000] = 0;
  char *many[60];
  for (int i = 0; i < 59; i++) many[i] = big;
  many[59] = 0;
  r = execve(self, many, env), printf("many arguments %s\n", err(r));
  fd = open("/tmp/busy", O_CREAT | O_RDWR, 0755);
  r = execve("/tmp/busy", args, env), printf("open for writing %s\n", err(r));
  close(fd);
}

int main(int argc, char **argv) {
  setvbuf(stdout, 0, _IOFBF, 1 << 16);
  self = argv[0];
  if (argc > 1 && strcmp(argv[1], "alpha") != 0) return roles(argc, argv);
  kept();
  with_vfork();
  arguments();
  errors();
  return 0;
}
