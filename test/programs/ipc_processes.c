/* Processes that talk: pipes, FIFOs, sockets, passed files, SIGPIPE, waits that block and are woken or interrupted. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char buffer[1 << 20];
static void is(const char *what, long r) {
  printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : "");
  fflush(stdout);
}

static int end(pid_t pid) {
  int status;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

static void nothing(int signal) { (void)signal; }

/* A megabyte through a pipe, checked. */
static void bulk(int socket) {
  int p[2];
  if (socket) socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  else pipe(p);
  pid_t pid = fork();
  if (!pid) {
    close(p[0]);
    for (unsigned i = 0; i < sizeof buffer; i++) buffer[i] = i * 7 + i / 251;
    long r = write(p[1], buffer, sizeof buffer);
    _exit(r == sizeof buffer ? 5 : 6);
  }
  close(p[1]);
  unsigned long sum = 0, count = 0, bad = 0;
  long r;
  static char part[30000];
  while ((r = read(p[0], part, sizeof part)) > 0)
    for (long i = 0; i < r; i++, count++) sum += (unsigned char)part[i], bad += part[i] != (char)(count * 7 + count / 251);
  printf("%s: %lu bytes sum %lu bad %lu end %ld\n", socket ? "socket" : "pipe", count, sum, bad, r);
  printf("child %d\n", end(pid));
  close(p[0]);
}

/* Small writes of several are not mixed. */
static void atomic(void) {
  int p[2], mixed = 0, lines[4] = {0};
  pipe(p);
  for (int i = 0; i < 4; i++) {
    fflush(stdout);
    if (!fork()) {
      char line[1000];
      memset(line, 'a' + i, sizeof line);
      for (int n = 0; n < 100; n++) write(p[1], line, sizeof line);
      _exit(0);
    }
  }
  close(p[1]);
  char line[1000];
  for (;;) {
    size_t have = 0;
    long r;
    while (have < sizeof line && (r = read(p[0], line + have, sizeof line - have)) > 0) have += r;
    if (have == 0) break;
    for (size_t i = 1; i < have; i++) mixed += line[i] != line[0];
    lines[line[0] - 'a']++;
  }
  for (int i = 0; i < 4; i++) wait(NULL);
  printf("lines %d %d %d %d mixed %d\n", lines[0], lines[1], lines[2], lines[3], mixed);
  close(p[0]);
}

static void broken(void) {
  int p[2];
  pipe(p);
  pid_t pid = fork();
  if (!pid) {
    close(p[0]);
    for (;;) write(p[1], buffer, 1000);
  }
  close(p[1]);
  read(p[0], buffer, 100);
  close(p[0]);
  printf("killed by %d\n", end(pid) - 128);
  fflush(stdout);
}

static void fifo(void) {
  mkfifo("/tmp/between", 0600);
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    int w = open("/tmp/between", O_WRONLY);
    write(w, "through a fifo", 14);
    close(w);
    while ((w = open("/tmp/between", O_WRONLY | O_NONBLOCK)) >= 0) close(w), usleep(1000);
    w = open("/tmp/between", O_WRONLY);
    write(w, "again", 5);
    _exit(3);
  }
  for (int i = 0; i < 2; i++) {
    int r = open("/tmp/between", O_RDONLY);
    long n, total = 0;
    while ((n = read(r, buffer + total, 100)) > 0) total += n;
    buffer[total] = 0;
    printf("fifo: %s\n", buffer);
    close(r);
    if (i == 0) usleep(30000);
  }
  printf("child %d\n", end(pid));
  unlink("/tmp/between");
  signal(SIGALRM, nothing);
  siginterrupt(SIGALRM, 1);
  mkfifo("/tmp/lonely", 0600);
  struct itimerval t = {{0, 0}, {0, 20000}};
  setitimer(ITIMER_REAL, &t, NULL);
  is("nobody comes", open("/tmp/lonely", O_RDONLY));
  is("still nobody", open("/tmp/lonely", O_WRONLY | O_NONBLOCK));
  unlink("/tmp/lonely");
}

static void send_file(int to, int file) {
  union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  struct iovec v = {"f", 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(c), &file, sizeof(int));
  sendmsg(to, &m, 0);
}

static int take_file(int from) {
  union { char room[CMSG_SPACE(sizeof(int))]; struct cmsghdr align; } control;
  char byte;
  struct iovec v = {&byte, 1};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
  if (recvmsg(from, &m, 0) != 1) return -1;
  int file;
  memcpy(&file, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof file);
  return file;
}

static void rights(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    close(s[0]);
    int fd = take_file(s[1]);
    lseek(fd, 2, SEEK_CUR);
    write(fd, "child", 5);
    int p[2];
    pipe(p);
    send_file(s[1], p[0]);
    close(p[0]);
    write(p[1], "from a pipe of the child's", 26);
    _exit(0);
  }
  close(s[1]);
  int fd = open("/tmp/shared", O_RDWR | O_CREAT | O_TRUNC, 0600);
  write(fd, "0123456789", 10);
  lseek(fd, 1, SEEK_SET);
  send_file(s[0], fd);
  int p = take_file(s[0]);
  printf("child %d\n", end(pid));
  printf("position %ld\n", (long)lseek(fd, 0, SEEK_CUR));
  pread(fd, buffer, 10, 0);
  printf("%.10s\n", buffer);
  long n = read(p, buffer, 100);
  printf("%.*s\n", (int)n, buffer);
  is("end", read(p, buffer, 100));
  close(p), close(fd), close(s[0]);
  unlink("/tmp/shared");
}

static void server(void) {
  struct sockaddr_un a = {AF_UNIX, "/tmp/server.sock"};
  unlink(a.sun_path);
  int l = socket(AF_UNIX, SOCK_STREAM, 0), ep = epoll_create1(0), served = 0;
  bind(l, (void *)&a, sizeof a);
  listen(l, 2);
  fflush(stdout);
  pid_t pids[6];
  for (int i = 0; i < 6; i++)
    if (!(pids[i] = fork())) {
      int c = socket(AF_UNIX, SOCK_STREAM, 0);
      if (connect(c, (void *)&a, sizeof a)) _exit(99);
      char text[40];
      int n = snprintf(text, sizeof text, "client %d", i);
      write(c, text, n);
      n = recv(c, text, 100, MSG_WAITALL);
      struct ucred cred;
      socklen_t size = sizeof cred;
      getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &size);
      _exit(n == 40 && cred.pid == getppid() ? i : 77);
    }
  struct epoll_event e = {EPOLLIN, {.fd = l}}, got[3];
  epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
  while (served < 6) {
    int n = epoll_wait(ep, got, 3, -1);
    for (int i = 0; i < n; i++) {
      if (got[i].data.fd == l) {
        e.data.fd = accept(l, NULL, NULL);
        epoll_ctl(ep, EPOLL_CTL_ADD, e.data.fd, &e);
        continue;
      }
      char text[40] = {0};
      long r = read(got[i].data.fd, text, sizeof text);
      if (r > 0) {
        write(got[i].data.fd, text, 13);
        write(got[i].data.fd, text, 27);
        served++;
      }
      close(got[i].data.fd);
    }
  }
  for (int i = 0; i < 6; i++) printf("client %d: %d\n", i, end(pids[i]));
  close(l), close(ep);
  unlink(a.sun_path);
}

static void ping_pong(void) {
  int a[2], b[2];
  pipe(a), pipe(b);
  fflush(stdout);
  pid_t pid = fork();
  int value = 0;
  if (!pid) {
    while (value < 1000 && read(a[0], &value, 4) == 4) value++, write(b[1], &value, 4);
    _exit(value >= 1000 ? 1 : 2);
  }
  while (value < 1000) {
    value++;
    write(a[1], &value, 4);
    if (value >= 1000) break;
    read(b[0], &value, 4);
  }
  printf("ping-pong %d child %d\n", value, end(pid));
  close(a[0]), close(a[1]), close(b[0]), close(b[1]);
}

static void interrupted(void) {
  int p[2];
  pipe(p);
  struct itimerval t = {{0, 0}, {0, 20000}};
  signal(SIGALRM, nothing);
  siginterrupt(SIGALRM, 1);
  setitimer(ITIMER_REAL, &t, NULL);
  is("read", read(p[0], buffer, 1));
  setitimer(ITIMER_REAL, &t, NULL);
  is("write", write(p[1], buffer, 100000));
  setitimer(ITIMER_REAL, &t, NULL);
  is("write when full", write(p[1], buffer, 1));
  struct pollfd f = {p[1], POLLOUT, 0};
  setitimer(ITIMER_REAL, &t, NULL);
  is("poll", poll(&f, 1, -1));
  int ep = epoll_create1(0);
  struct epoll_event e;
  setitimer(ITIMER_REAL, &t, NULL);
  is("epoll", epoll_wait(ep, &e, 1, -1));
  siginterrupt(SIGALRM, 0);
  setitimer(ITIMER_REAL, &t, NULL);
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    usleep(60000);
    read(p[0], buffer, 70000);
    _exit(0);
  }
  is("restarted", write(p[1], buffer, 10));
  end(pid);
  uint64_t one = 1;
  int ev = eventfd(0, 0);
  if (!(pid = fork())) {
    usleep(1000);
    write(ev, &one, 8);
    _exit(0);
  }
  f.fd = ev, f.events = POLLIN;
  is("poll an eventfd", poll(&f, 1, -1));
  is("read it", read(ev, &one, 8));
  end(pid);
  fd_set in;
  FD_ZERO(&in);
  FD_SET(ev, &in);
  if (!(pid = fork())) {
    usleep(1000);
    write(ev, &one, 8);
    _exit(0);
  }
  is("select it", select(ev + 1, &in, NULL, NULL, NULL));
  end(pid);
}

/* What exec and exit close. */
static void closing(char *self) {
  int p[2];
  pipe2(p, O_CLOEXEC);
  fflush(stdout);
  pid_t pid = fork();
  if (!pid) {
    execl(self, self, "closed?", NULL);
    _exit(9);
  }
  close(p[1]);
  is("closed by exec", read(p[0], buffer, 1));
  printf("child %d\n", end(pid));
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "closed?")) {
    usleep(20000);
    return fcntl(3, F_GETFD) == -1 ? 4 : 5;
  }
  bulk(0);
  bulk(1);
  atomic();
  broken();
  fifo();
  rights();
  server();
  ping_pong();
  interrupted();
  closing(argv[0]);
  return 0;
}
