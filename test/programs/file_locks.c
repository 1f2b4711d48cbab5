/* Locks between processes: flock, fcntl's ranges, those of open files; waiting, deadlock, what closing gives back. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_name.h"

static const char *path = "/tmp/locked";

static void say(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, result);
  fflush(stdout);
}

static struct flock range(short type, off_t start, off_t length) {
  struct flock lock = {.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
  return lock;
}

static int set(int fd, int command, short type, off_t start, off_t length) {
  struct flock lock = range(type, start, length);
  return fcntl(fd, command, &lock);
}

static void get(int fd, int command, short type, off_t start, off_t length, pid_t holder) {
  struct flock lock = range(type, start, length);
  if (fcntl(fd, command, &lock) < 0) printf("get: %s\n", errno_name(errno));
  else if (lock.l_type == F_UNLCK) printf("get %ld+%ld: free\n", (long)start, (long)length);
  else
    printf("get %ld+%ld: type %d whence %d %ld+%ld by %s\n", (long)start, (long)length, lock.l_type, lock.l_whence,
           (long)lock.l_start, (long)lock.l_len, lock.l_pid == -1 ? "a file" : lock.l_pid == holder ? "holder" : "?");
  fflush(stdout);
}

static void await(pid_t child) {
  int status;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) printf("child killed by %d\n", WTERMSIG(status));
}

static void ranges(void) {
  int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  pid_t parent = getpid();
  say("write lock", set(fd, F_SETLK, F_WRLCK, 10, 10));
  say("read part", set(fd, F_SETLK, F_RDLCK, 14, 2));
  say("far", set(fd, F_SETLK, F_WRLCK, 100, 0));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    get(fd, F_GETLK, F_WRLCK, 0, 5, parent);
    get(fd, F_GETLK, F_WRLCK, 0, 11, parent);
    get(fd, F_GETLK, F_RDLCK, 14, 2, parent);
    get(fd, F_GETLK, F_WRLCK, 14, 2, parent);
    get(fd, F_GETLK, F_RDLCK, 16, 1000, parent);
    get(fd, F_GETLK, F_RDLCK, 5000, 1, parent);
    say("child blocked", set(fd, F_SETLK, F_RDLCK, 12, 1));
    say("child read", set(fd, F_SETLK, F_RDLCK, 14, 2));
    say("child between", set(fd, F_SETLK, F_WRLCK, 20, 80));
    get(fd, F_OFD_GETLK, F_WRLCK, 0, 0, parent);
    _exit(0);
  }
  await(child);
  say("unlock middle", set(fd, F_SETLK, F_UNLCK, 12, 4));
  child = fork();
  if (child == 0) {
    get(fd, F_GETLK, F_WRLCK, 0, 0, parent);
    get(fd, F_GETLK, F_WRLCK, 12, 0, parent);
    get(fd, F_GETLK, F_WRLCK, 12, 4, parent);
    _exit(0);
  }
  await(child);
  int other = dup(fd);
  close(other);
  child = fork();
  if (child == 0) {
    get(fd, F_GETLK, F_WRLCK, 0, 0, parent);
    _exit(0);
  }
  await(child);
  close(fd);
}

static void refused(void) {
  int fd = open(path, O_RDONLY);
  say("write lock on a reader", set(fd, F_SETLK, F_WRLCK, 0, 1));
  say("read lock", set(fd, F_SETLK, F_RDLCK, 0, 1));
  say("type 5", set(fd, F_SETLK, 5, 0, 1));
  say("before the start", set(fd, F_SETLK, F_RDLCK, -1, 1));
  say("negative length", set(fd, F_SETLK, F_RDLCK, 10, -5));
  say("too negative", set(fd, F_SETLK, F_RDLCK, 10, -15));
  say("too far", set(fd, F_SETLK, F_RDLCK, 1, 0x7fffffffffffffff));
  struct flock lock = range(F_RDLCK, 0, 1);
  lock.l_whence = 9;
  say("whence 9", fcntl(fd, F_SETLK, &lock));
  lock = range(F_RDLCK, 0, 1);
  lock.l_pid = 1;
  say("ofd with pid", fcntl(fd, F_OFD_SETLK, &lock));
  lock = range(F_UNLCK, 0, 1);
  say("get unlock", fcntl(fd, F_GETLK, &lock));
  say("null", fcntl(fd, F_SETLK, NULL));
  int p = open(path, O_PATH);
  say("path", set(p, F_SETLK, F_RDLCK, 0, 1));
  say("flock path", flock(p, LOCK_SH));
  say("flock nothing", flock(fd, 0));
  say("flock both", flock(fd, LOCK_SH | LOCK_EX));
  say("flock shared by a reader", flock(fd, LOCK_EX));
  close(p);
  close(fd);
}

/* The child waits; the parent's unlock wakes it. */
static void waiting(void) {
  int fd = open(path, O_RDWR), pipes[2];
  if (pipe(pipes) < 0) return;
  set(fd, F_SETLK, F_WRLCK, 0, 1);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    if (write(pipes[1], "x", 1) != 1) _exit(1);
    say("child waits", set(fd, F_SETLKW, F_WRLCK, 0, 1));
    _exit(0);
  }
  char c;
  if (read(pipes[0], &c, 1) != 1) return;
  usleep(20000);
  printf("parent unlocks\n");
  fflush(stdout);
  set(fd, F_SETLK, F_UNLCK, 0, 1);
  await(child);
  close(fd);
  close(pipes[0]);
  close(pipes[1]);
}

/* Two that hold what the other wants. */
static void deadlock(void) {
  int fd = open(path, O_RDWR), pipes[2];
  if (pipe(pipes) < 0) return;
  set(fd, F_SETLK, F_WRLCK, 0, 1);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    set(fd, F_SETLK, F_WRLCK, 1, 1);
    if (write(pipes[1], "x", 1) != 1) _exit(1);
    int result = set(fd, F_SETLKW, F_WRLCK, 0, 1);
    _exit(result == 0 ? 0 : 1);
  }
  char c;
  if (read(pipes[0], &c, 1) != 1) return;
  usleep(20000);
  say("deadlock", set(fd, F_SETLKW, F_WRLCK, 1, 1));
  set(fd, F_SETLK, F_UNLCK, 0, 1);
  int status;
  waitpid(child, &status, 0);
  printf("the other got it: %d\n", WEXITSTATUS(status));
  close(fd);
  close(pipes[0]);
  close(pipes[1]);
}

static void on_alarm(int signal) { (void)signal; }

static void interrupted(void) {
  int fd = open(path, O_RDWR);
  set(fd, F_SETLK, F_WRLCK, 0, 1);
  flock(fd, LOCK_EX);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    struct sigaction action = {.sa_handler = on_alarm};
    sigaction(SIGALRM, &action, NULL);
    ualarm(20000, 0);
    say("wait and alarm", set(fd, F_SETLKW, F_WRLCK, 0, 1));
    int own = open(path, O_RDWR);
    ualarm(20000, 0);
    say("flock and alarm", flock(own, LOCK_SH));
    say("flock now", flock(own, LOCK_SH | LOCK_NB));
    say("inherited", flock(fd, LOCK_SH | LOCK_NB));
    say("shared with it", flock(own, LOCK_SH | LOCK_NB));
    say("up", flock(own, LOCK_EX | LOCK_NB));
    say("up has lost it", flock(fd, LOCK_EX | LOCK_NB));
    _exit(0);
  }
  await(child);
  close(fd);
}

/* Locks of open files: shared by fork, apart for two opens of one process. */
static void open_files(void) {
  int one = open(path, O_RDWR), two = open(path, O_RDWR);
  say("ofd one", set(one, F_OFD_SETLK, F_WRLCK, 0, 10));
  say("ofd two", set(two, F_OFD_SETLK, F_RDLCK, 5, 1));
  say("posix against ofd", set(two, F_SETLK, F_RDLCK, 5, 1));
  get(two, F_OFD_GETLK, F_RDLCK, 0, 0, 0);
  get(two, F_GETLK, F_RDLCK, 3, 1, 0);
  close(dup(one));
  say("still", set(two, F_OFD_SETLK, F_RDLCK, 5, 1));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    say("child narrows", set(one, F_OFD_SETLK, F_UNLCK, 5, 5));
    _exit(0);
  }
  await(child);
  say("now", set(two, F_OFD_SETLK, F_RDLCK, 5, 1));
  close(one);
  say("all", set(two, F_OFD_SETLK, F_WRLCK, 0, 0));
  close(two);
}

/* A killed holder leaves nothing behind. */
static void killed(void) {
  int fd = open(path, O_RDWR), pipes[2];
  if (pipe(pipes) < 0) return;
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    set(fd, F_SETLK, F_WRLCK, 0, 0);
    int own = open(path, O_RDWR);
    flock(own, LOCK_EX);
    if (write(pipes[1], "x", 1) != 1) _exit(1);
    pause();
  }
  char c;
  if (read(pipes[0], &c, 1) != 1) return;
  say("held", set(fd, F_SETLK, F_WRLCK, 0, 1));
  say("flocked", flock(fd, LOCK_EX | LOCK_NB));
  kill(child, SIGKILL);
  say("waited", set(fd, F_SETLKW, F_WRLCK, 0, 1));
  say("flock waited", flock(fd, LOCK_EX));
  await(child);
  close(fd);
}

int main(void) {
  ranges();
  refused();
  waiting();
  deadlock();
  interrupted();
  open_files();
  killed();
  unlink(path);
  return 0;
}
