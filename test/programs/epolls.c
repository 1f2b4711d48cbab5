/* epoll in one process: level, edge, one-shot, order, nested, errors, closing. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

static char buffer[1 << 17];
static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }

static int control(int ep, int op, int fd, uint32_t events, uint64_t data) {
  struct epoll_event e = {.events = events, .data.u64 = data};
  return epoll_ctl(ep, op, fd, &e);
}

static void wait_for(const char *what, int ep, int most) {
  struct epoll_event e[8];
  int n = epoll_wait(ep, e, most, 0);
  printf("%s: %d", what, n);
  for (int i = 0; i < n; i++) printf(" [%lx %x]", (long)e[i].data.u64, e[i].events);
  printf("\n");
}

int main(void) {
  int ep = epoll_create1(EPOLL_CLOEXEC), p[2], q[2], s[2], file = open("/tmp/plain", O_RDWR | O_CREAT, 0600);
  printf("cloexec %d flags %x\n", fcntl(ep, F_GETFD), fcntl(ep, F_GETFL));
  is("create 0", epoll_create(0));
  is("bad flags", epoll_create1(1));
  pipe2(p, O_NONBLOCK);
  pipe2(q, O_NONBLOCK);
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  is("read an epoll", read(ep, buffer, 1));
  is("write an epoll", write(ep, buffer, 1));
  is("a file", control(ep, EPOLL_CTL_ADD, file, EPOLLIN, 1));
  is("a directory", control(ep, EPOLL_CTL_ADD, open("/", O_RDONLY), EPOLLIN, 1));
  is("itself", control(ep, EPOLL_CTL_ADD, ep, EPOLLIN, 1));
  is("on a pipe", control(p[0], EPOLL_CTL_ADD, p[1], EPOLLIN, 1));
  is("closed", control(ep, EPOLL_CTL_ADD, 99, EPOLLIN, 1));
  is("on closed", control(99, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  is("fault", epoll_ctl(ep, EPOLL_CTL_ADD, p[0], (void *)8));
  is("operation", control(ep, 9, p[0], EPOLLIN, 1));
  is("modify none", control(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 1));
  is("delete none", control(ep, EPOLL_CTL_DEL, p[0], EPOLLIN, 1));
  is("add", control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 0xaaaaaaaabbbbbbbb));
  is("add again", control(ep, EPOLL_CTL_ADD, p[0], EPOLLIN, 1));
  is("no room", epoll_wait(ep, (void *)buffer, 0, 0));
  is("bad room", epoll_wait(ep, (void *)-8, 1, 0));
  is("wait on a pipe", epoll_wait(p[0], (void *)buffer, 1, 0));
  is("timeout", epoll_wait(ep, (void *)buffer, 1, 3));
  wait_for("nothing", ep, 8);
  write(p[1], "x", 1);
  wait_for("level", ep, 8);
  wait_for("level", ep, 8);
  is("fault", epoll_wait(ep, (void *)8, 1, 0));
  is("edge", control(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLET, 2));
  wait_for("edge", ep, 8);
  wait_for("edge", ep, 8);
  write(p[1], "y", 1);
  wait_for("edge after a write", ep, 8);
  wait_for("edge", ep, 8);
  read(p[0], buffer, 1);
  wait_for("edge after a read", ep, 8);
  is("one shot", control(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 3));
  wait_for("one shot", ep, 8);
  write(p[1], "z", 1);
  wait_for("disarmed", ep, 8);
  is("armed", control(ep, EPOLL_CTL_MOD, p[0], EPOLLIN | EPOLLONESHOT, 4));
  wait_for("one shot", ep, 8);
  close(p[1]);
  wait_for("disarmed", ep, 8);
  is("level", control(ep, EPOLL_CTL_MOD, p[0], EPOLLIN, 5));
  wait_for("hung up", ep, 8);
  read(p[0], buffer, 10);
  wait_for("hung up", ep, 8);
  /* Several: the order, fairness with little room. */
  int e[4];
  for (int i = 0; i < 4; i++) {
    e[i] = eventfd(0, EFD_NONBLOCK);
    control(ep, EPOLL_CTL_ADD, e[i], EPOLLIN, 0x10 + i);
  }
  uint64_t one = 1;
  const int order[] = {2, 0, 3, 1};
  for (int i = 0; i < 4; i++) write(e[order[i]], &one, 8);
  wait_for("order", ep, 8);
  for (int i = 0; i < 4; i++) wait_for("two of five", ep, 2);
  for (int i = 0; i < 4; i++) read(e[i], &one, 8);
  wait_for("read", ep, 8);
  is("delete", epoll_ctl(ep, EPOLL_CTL_DEL, p[0], NULL));
  wait_for("deleted", ep, 8);
  /* A socket, both directions, by edge. */
  is("add", control(ep, EPOLL_CTL_ADD, s[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 7));
  wait_for("socket", ep, 8);
  wait_for("socket", ep, 8);
  write(s[1], "a", 1);
  wait_for("after a write", ep, 8);
  while (write(s[0], buffer, 1000) > 0) {}
  wait_for("full", ep, 8);
  read(s[1], buffer, 1000);
  wait_for("some room", ep, 8);
  while (read(s[1], buffer, sizeof buffer) > 0) {}
  wait_for("room", ep, 8);
  shutdown(s[1], SHUT_WR);
  wait_for("shut", ep, 8);
  close(s[1]);
  wait_for("closed", ep, 8);
  close(s[0]);
  wait_for("gone", ep, 8);
  /* A duplicate keeps it; the number is the key. */
  int d = dup(q[0]);
  is("add", control(ep, EPOLL_CTL_ADD, q[0], EPOLLIN, 8));
  is("add the duplicate", control(ep, EPOLL_CTL_ADD, d, EPOLLIN, 9));
  write(q[1], "q", 1);
  wait_for("twice", ep, 8);
  close(q[0]);
  wait_for("still", ep, 8);
  close(d);
  wait_for("gone", ep, 8);
  /* Nested. */
  int outer = epoll_create1(0), f = eventfd(0, 0);
  is("nest", control(outer, EPOLL_CTL_ADD, ep, EPOLLIN, 0xe));
  is("circle", control(ep, EPOLL_CTL_ADD, outer, EPOLLIN, 1));
  is("add", control(ep, EPOLL_CTL_ADD, f, EPOLLIN, 0xf));
  wait_for("outer", outer, 8);
  write(f, &one, 8);
  wait_for("outer", outer, 8);
  wait_for("inner", ep, 8);
  read(f, &one, 8);
  wait_for("outer", outer, 8);
  int chain[7];
  for (int i = 0; i < 7; i++) {
    chain[i] = epoll_create1(0);
    if (i) printf("chain %d: %d\n", i, control(chain[i], EPOLL_CTL_ADD, chain[i - 1], EPOLLIN, i) ? errno : 0);
  }
  is("exclusive", control(ep, EPOLL_CTL_ADD, q[1], EPOLLOUT | EPOLLEXCLUSIVE, 1));
  is("exclusive one-shot", control(outer, EPOLL_CTL_ADD, q[1], EPOLLOUT | EPOLLEXCLUSIVE | EPOLLONESHOT, 1));
  is("modify exclusive", control(ep, EPOLL_CTL_MOD, q[1], EPOLLOUT, 1));
  wait_for("exclusive", ep, 8);
  sigset_t set;
  sigemptyset(&set);
  struct timespec ts = {0, 1000000};
  is("pwait2", syscall(441, outer, buffer, 1, &ts, &set, 8));
  is("pwait2 bad time", (ts.tv_nsec = -1, syscall(441, outer, buffer, 1, &ts, NULL, 8)));
  return 0;
}
