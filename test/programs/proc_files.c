/* /proc of processes and threads: states, numbers, memory of another process, what stays after exec and exit. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
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

static char text[65536];

static const char *load(const char *format, int pid) {
  char path[100];
  snprintf(path, sizeof path, format, pid);
  int fd = open(path, O_RDONLY);
  if (fd < 0) return errno_name(errno);
  ssize_t all = 0, n;
  while ((n = read(fd, text + all, sizeof text - 1 - all)) > 0) all += n;
  int error = errno;
  close(fd);
  text[all] = 0;
  return n < 0 ? errno_name(error) : text;
}

/* The lines of a text that begin with one of these words. */
static void lines(const char *from, const char *words[]) {
  char *copy = strdup(from);
  for (char *line = strtok(copy, "\n"); line; line = strtok(NULL, "\n"))
    for (int i = 0; words[i]; i++)
      if (strncmp(line, words[i], strlen(words[i])) == 0) printf("%s\n", line);
  free(copy);
}

static void wait_state(int pid, char state) {
  for (int i = 0; i < 1000; i++) {
    const char *stat = load("/proc/%d/stat", pid);
    const char *at = strrchr(stat, ')');
    if (at && at[2] == state) return;
    usleep(1000);
  }
  printf("never %c\n", state);
}

static void fields(int pid) {
  char *stat = strdup(load("/proc/%d/stat", pid)), *end = strrchr(stat, ')');
  char state, *open = strchr(stat, '(');
  int parent, group, session;
  long priority, nice, threads;
  unsigned flags;
  sscanf(end + 2, "%c %d %d %d %*d %*d %u %*u %*u %*u %*u %*u %*u %*d %*d %ld %ld %ld", &state, &parent, &group,
         &session, &flags, &priority, &nice, &threads);
  *end = 0;
  printf("stat: (%s) %c parent %s group %s priority %ld nice %ld threads %ld flags %x\n", open + 1, state,
         parent == getpid() ? "me" : "other", group == getpgrp() ? "mine" : "other", priority, nice, threads, flags & 0x44 /* PF_EXITING, PF_FORKNOEXEC */);
  free(stat);
}

static const char *few[] = {"Name:", "State:", "Threads:", "SigIgn:", "SigCgt:", "SigBlk:", "ShdPnd:", "NoNewPrivs:",
                            "Umask:", "Uid:", "Groups:", NULL};

static void handler(int number) { (void)number; }

static void states(void) {
  fflush(stdout);
  int pid = fork();
  if (pid == 0) {
    prctl(PR_SET_NAME, "a (child) \n");
    signal(SIGUSR1, handler), signal(SIGPIPE, SIG_IGN);
    sigset_t set;
    sigemptyset(&set), sigaddset(&set, SIGUSR2), sigaddset(&set, 40), sigprocmask(SIG_BLOCK, &set, NULL);
    kill(getpid(), SIGUSR2);
    umask(027);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    for (;;) pause();
  }
  wait_state(pid, 'S');
  fields(getpid());
  fields(pid);
  lines(load("/proc/%d/status", pid), few);
  kill(pid, SIGSTOP);
  wait_state(pid, 'T');
  lines(load("/proc/%d/status", pid), (const char *[]){"State:", NULL});
  kill(pid, SIGKILL);
  wait_state(pid, 'Z');
  fields(pid);
  lines(load("/proc/%d/status", pid), (const char *[]){"Name:", "State:", "Threads:", "Umask:", "VmSize:", "FDSize:", NULL});
  printf("zombie cmdline \"%s\"\n", load("/proc/%d/cmdline", pid));
  printf("zombie statm %s", load("/proc/%d/statm", pid));
  printf("zombie maps \"%s\"\n", load("/proc/%d/maps", pid));
  waitpid(pid, NULL, 0);
  printf("gone: %s\n", load("/proc/%d/stat", pid));
}

static pthread_barrier_t meet;
static int numbers[3];

struct worker {
  const char *name;
  int index;
};

static void *work(void *argument) {
  struct worker *self = argument;
  prctl(PR_SET_NAME, self->name);
  numbers[self->index] = gettid();
  pthread_barrier_wait(&meet);
  pthread_barrier_wait(&meet);
  return NULL;
}

static void threads(void) {
  pthread_t one, two;
  pthread_barrier_init(&meet, NULL, 3);
  struct worker first = {"first", 1}, second = {"second\\n\n", 2};
  pthread_create(&one, NULL, work, &first);
  pthread_create(&two, NULL, work, &second);
  pthread_barrier_wait(&meet);
  int me = getpid();
  lines(load("/proc/self/status", 0), (const char *[]){"Threads:", NULL});
  printf("comm %s", load("/proc/self/comm", 0));
  for (int i = 1; i <= 2; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/status", numbers[i]);
    char *status = strdup(load(path, 0));
    char *tgid = strstr(status, "Tgid:"), *pid = strstr(status, "\nPid:");
    printf("thread %d: tgid %s pid %s\n", i, tgid && atoi(tgid + 5) == me ? "mine" : "?",
           pid && atoi(pid + 5) == numbers[i] ? "own" : "?");
    lines(status, (const char *[]){"Name:", "Threads:", NULL});
    free(status);
  }
  printf("no such task: %s\n", load("/proc/self/task/1/stat", 0));
  pthread_barrier_wait(&meet);
  pthread_join(one, NULL), pthread_join(two, NULL);
}

/* The memory of another, and of oneself. */
static void memory(void) {
  char *page = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(page + 4096, 4096);
  strcpy(page, "before");
  fflush(stdout);
  int to[2];
  if (pipe(to) < 0) return;
  int pid = fork();
  if (pid == 0) {
    strcpy(page, "child");
    if (write(to[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte, path[64], got[32] = "";
  if (read(to[0], &byte, 1) != 1) return;
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  int fd = open(path, O_RDWR);
  printf("read %zd", pread(fd, got, 6, (off_t)page));
  printf(" \"%s\"\n", got);
  printf("write %zd\n", pwrite(fd, "parent", 7, (off_t)page));
  printf("read back %zd \"%s\", mine \"%s\"\n", pread(fd, got, 7, (off_t)page), got, page);
  printf("over the end %zd\n", pread(fd, got, 20, (off_t)page + 4090));
  ssize_t n = pread(fd, got, 1, (off_t)page + 4096);
  printf("nothing there %zd %s\n", n, n < 0 ? errno_name(errno) : "");
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
  n = pread(fd, got, 1, (off_t)page);
  printf("process gone %zd\n", n);
  close(fd);
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  printf("open again %s\n", open(path, O_RDONLY) < 0 ? errno_name(errno) : "yes");
  close(to[0]), close(to[1]);
}

static void links(void) {
  char path[64], name[4096];
  int fd = open("/tmp/proc_file", O_CREAT | O_RDWR | O_APPEND | O_CLOEXEC, 0600);
  if (write(fd, "12345", 5) != 5 || lseek(fd, 3, SEEK_SET) != 3) return;
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(path, name, sizeof name);
  printf("fd: %.*s\n", (int)n, name);
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
  lines(load(path, 0), (const char *[]){"pos:", "flags:", NULL});
  unlink("/tmp/proc_file");
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  n = readlink(path, name, sizeof name);
  printf("deleted: %.*s, still %s\n", (int)n, name, load(path, 0));
  close(fd);
  printf("closed: %s\n", readlink(path, name, sizeof name) < 0 ? errno_name(errno) : "there");
  if (chdir("/tmp") == 0) printf("cwd: %.*s\n", (int)readlink("/proc/self/cwd", name, sizeof name), name);
  printf("root: %.*s\n", (int)readlink("/proc/self/root", name, sizeof name), name);
  printf("write to stat: %s\n", open("/proc/self/stat", O_WRONLY) < 0 ? errno_name(errno) : "opened");
  printf("make: %s\n", open("/proc/self/new", O_CREAT | O_WRONLY, 0600) < 0 ? errno_name(errno) : "made");
  printf("make: %s\n", mkdir("/proc/new", 0700) < 0 ? errno_name(errno) : "made");
  printf("remove: %s\n", unlink("/proc/self/stat") < 0 ? errno_name(errno) : "removed");
}

static void constants(void) {
  const char *paths[] = {"sys/kernel/ostype", "sys/kernel/pid_max", "sys/kernel/cap_last_cap", "sys/kernel/ngroups_max",
                         "sys/vm/overcommit_memory", "sys/vm/max_map_count", "sys/fs/nr_open", "sys/fs/pipe-max-size",
                         "sys/kernel/overflowuid", "swaps", "self/loginuid", "self/wchan"};
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) {
    char path[100];
    snprintf(path, sizeof path, "/proc/%s", paths[i]);
    printf("%s: %s\n", paths[i], load(path, 0));
  }
  printf("%s", load("/proc/self/limits", 0) ? "limits:\n" : "");
  lines(text, (const char *[]){"Limit", "Max nice", "Max core", "Max stack", "Max open", NULL});
}

int main(void) {
  states();
  threads();
  memory();
  links();
  constants();
  return 0;
}
