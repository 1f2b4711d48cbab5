/* Unix sockets in one process: pairs, names, connections, datagrams, packets, options, descriptors and credentials. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

static char buffer[1 << 20];
static int pipes_seen;

static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void on_pipe(int signal) { pipes_seen += signal == SIGPIPE; }

static int bits(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM, 0};
  return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static socklen_t name_of(struct sockaddr_un *a, const char *path) {
  memset(a, 0, sizeof *a);
  a->sun_family = AF_UNIX;
  size_t n = path[0] == '@' ? strlen(path) : strlen(path) + 1;
  memcpy(a->sun_path, path, n);
  if (path[0] == '@') a->sun_path[0] = 0;
  return offsetof(struct sockaddr_un, sun_path) + n;
}

static void show(const char *what, int (*get)(int, struct sockaddr *, socklen_t *), int fd) {
  struct sockaddr_un a;
  socklen_t n = sizeof a;
  memset(&a, 0, sizeof a);
  int r = get(fd, (void *)&a, &n);
  printf("%s: %d %s", what, r, r ? errno_name(errno) : "");
  if (!r) printf("length %d family %d path %d %s", n, a.sun_family, a.sun_path[0] != 0, a.sun_path + (a.sun_path[0] == 0));
  printf("\n");
}

static void making(void) {
  int s[2];
  is("no family", socket(99, SOCK_STREAM, 0));
  is("bad type", socket(AF_UNIX, 4, 0));
  is("worse type", socket(AF_UNIX, 12, 0));
  is("bad flags", socket(AF_UNIX, SOCK_STREAM | 0x10000, 0));
  is("bad protocol", socket(AF_UNIX, SOCK_STREAM, 7));
  int raw = socket(AF_UNIX, SOCK_RAW, 0);
  int type;
  socklen_t n = sizeof type;
  getsockopt(raw, SOL_SOCKET, SO_TYPE, &type, &n);
  printf("raw is %d\n", type);
  close(raw);
  is("pair", socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s));
  printf("%x %x\n", fcntl(s[0], F_GETFL), fcntl(s[1], F_GETFD));
  struct stat st;
  fstat(s[0], &st);
  printf("mode %o\n", st.st_mode);
  is("not a socket", listen(0, 1));
  is("closed", listen(99, 1));
  close(s[0]);
  close(s[1]);
}

static void streams(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, s);
  printf("fresh %x\n", bits(s[0]));
  is("read", read(s[0], buffer, 1));
  is("write", write(s[0], "hello ", 6));
  is("send", send(s[0], "world", 5, 0));
  printf("bits %x\n", bits(s[1]));
  is("peek", recv(s[1], buffer, 8, MSG_PEEK));
  printf("%.8s\n", buffer);
  int n;
  ioctl(s[1], FIONREAD, &n);
  printf("readable %d\n", n);
  is("recv", recv(s[1], buffer, 100, 0));
  printf("%.11s\n", buffer);
  is("seek", lseek(s[0], 0, SEEK_SET));
  is("recv from nowhere", (write(s[0], "abc", 3), recv(s[1], (void *)8, 3, 0)));
  is("still there", recv(s[1], buffer, 100, 0));
  is("sendto with a name", sendto(s[0], "x", 1, 0, (void *)buffer, 2));
  is("shutdown 3", shutdown(s[0], 3));
  is("shutdown", shutdown(s[0], SHUT_WR));
  printf("bits %x %x\n", bits(s[0]), bits(s[1]));
  is("send", send(s[0], "x", 1, MSG_NOSIGNAL));
  printf("SIGPIPE %d\n", pipes_seen);
  is("write", write(s[0], "x", 1));
  printf("SIGPIPE %d\n", pipes_seen);
  is("end", read(s[1], buffer, 1));
  is("other way", write(s[1], "back", 4));
  is("read", read(s[0], buffer, 10));
  write(s[1], "unread", 6);
  close(s[0]);
  printf("closed %x\n", bits(s[1]));
  int error;
  socklen_t size = sizeof error;
  getsockopt(s[1], SOL_SOCKET, SO_ERROR, &error, &size);
  printf("error %d bits %x\n", error, bits(s[1]));
  is("read", read(s[1], buffer, 1));
  is("write", write(s[1], "x", 1));
  close(s[1]);
  socketpair(AF_UNIX, SOCK_STREAM, 0, s);
  write(s[1], "lost", 4);
  close(s[0]);
  is("reset", read(s[1], buffer, 1));
  is("then the end", read(s[1], buffer, 1));
  close(s[1]);
}

static void room(const char *what, int type, size_t step) {
  int s[2];
  socketpair(AF_UNIX, type | SOCK_NONBLOCK, 0, s);
  long count = 0, total = 0, r;
  while ((r = write(s[0], buffer, step)) > 0 && count < 100000) count++, total += r;
  printf("%s of %zu: %ld writes, %ld bytes, then %s; writer %x\n", what, step, count, total, errno_name(errno), bits(s[0]));
  long reads = 0;
  while (!(bits(s[0]) & POLLOUT) && read(s[1], buffer, step) > 0) reads++;
  printf("  writable after %ld reads\n", reads);
  close(s[0]);
  close(s[1]);
}

static void connections(const char *path, int type) {
  struct sockaddr_un a;
  socklen_t n = name_of(&a, path);
  if (path[0] != '@') unlink(path);
  int l = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
  printf("%s\nunbound %x\n", path, bits(l));
  show("name", getsockname, l);
  is("listen unbound", listen(l, 5));
  is("accept unbound", accept(l, NULL, NULL));
  int c = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
  is("connect to nothing", connect(c, (void *)&a, n));
  is("bind", bind(l, (void *)&a, n));
  is("bind again", bind(l, (void *)&a, n));
  is("bind another", bind(c, (void *)&a, n));
  show("name", getsockname, l);
  is("connect to one that does not listen", connect(c, (void *)&a, n));
  is("listen", listen(l, 1));
  printf("listening %x\n", bits(l));
  int wrong = socket(AF_UNIX, SOCK_DGRAM, 0);
  is("wrong type", connect(wrong, (void *)&a, n));
  is("read unconnected", read(c, buffer, 1));
  is("write unconnected", send(c, "x", 1, MSG_NOSIGNAL));
  show("peer", getpeername, c);
  is("connect", connect(c, (void *)&a, n));
  is("connect again", connect(c, (void *)&a, n));
  printf("listening %x connected %x\n", bits(l), bits(c));
  int more[4];
  for (int i = 0; i < 3; i++) {
    more[i] = socket(AF_UNIX, type | SOCK_NONBLOCK, 0);
    is("another", connect(more[i], (void *)&a, n));
  }
  is("early write", write(c, "early", 5));
  struct sockaddr_un who;
  socklen_t size = sizeof who;
  int s = accept4(l, (void *)&who, &size, SOCK_NONBLOCK);
  printf("accepted %d length %d\n", s >= 0, size);
  show("its name", getsockname, s);
  show("its peer", getpeername, s);
  show("peer", getpeername, c);
  is("read", read(s, buffer, 100));
  struct ucred cred;
  size = sizeof cred;
  getsockopt(c, SOL_SOCKET, SO_PEERCRED, &cred, &size);
  printf("peer is me %d uid %d gid %d\n", cred.pid == getpid(), cred.uid, cred.gid);
  size = sizeof cred;
  getsockopt(wrong, SOL_SOCKET, SO_PEERCRED, &cred, &size);
  printf("nobody %d %d %d\n", cred.pid, cred.uid, cred.gid);
  close(l);
  printf("unaccepted %x\n", bits(more[0]));
  is("its write", send(more[0], "x", 1, MSG_NOSIGNAL));
  is("its read", read(more[0], buffer, 1));
  is("connect after close", connect(more[2], (void *)&a, n));
  is("write", write(s, "still", 5));
  is("read", read(c, buffer, 100));
  close(s);
  printf("closed %x\n", bits(c));
  for (int i = 0; i < 3; i++) close(more[i]);
  close(c);
  close(wrong);
  if (path[0] != '@') {
    struct stat st;
    stat(path, &st);
    printf("mode %o\n", st.st_mode & ~022);
    is("open it", open(path, O_RDWR));
    is("unlink", unlink(path));
  }
}

static void datagrams(void) {
  struct sockaddr_un a, b, from;
  socklen_t an = name_of(&a, "@one of pagoda"), bn = name_of(&b, "/tmp/two.sock");
  unlink("/tmp/two.sock");
  int x = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0), y = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  printf("fresh %x\n", bits(x));
  is("bind", bind(x, (void *)&a, an));
  is("bind", bind(y, (void *)&b, bn));
  is("send to nobody", send(x, "x", 1, 0));
  is("listen", listen(x, 1));
  is("sendto", sendto(x, "first", 5, 0, (void *)&b, bn));
  is("empty", sendto(x, "", 0, 0, (void *)&b, bn));
  is("sendto", sendto(x, "third one", 9, 0, (void *)&b, bn));
  int n;
  ioctl(y, FIONREAD, &n);
  printf("first has %d\n", n);
  memset(&from, 0, sizeof from);
  socklen_t size = sizeof from;
  is("recvfrom", recvfrom(y, buffer, 100, 0, (void *)&from, &size));
  printf("from %d %s\n", size, from.sun_path + 1);
  is("empty", recv(y, buffer, 100, 0));
  is("short", recv(y, buffer, 5, MSG_TRUNC));
  is("nothing", recv(y, buffer, 5, 0));
  is("too long", sendto(x, buffer, 1 << 20, 0, (void *)&b, bn));
  long count = 0;
  while (sendto(x, "x", 1, 0, (void *)&b, bn) == 1) count++;
  printf("%ld until %s\n", count, errno_name(errno));
  is("connect", connect(x, (void *)&b, bn));
  printf("full %x\n", bits(x));
  recv(y, buffer, 5, 0);
  printf("not full %x\n", bits(x));
  is("send", send(x, "to my peer", 10, 0));
  is("connect to me", connect(y, (void *)&a, an));
  int z = socket(AF_UNIX, SOCK_DGRAM, 0);
  is("not its peer", sendto(z, "x", 1, 0, (void *)&b, bn));
  struct sockaddr_un none = {AF_UNSPEC, ""};
  is("disconnect", connect(x, (void *)&none, 2));
  is("send", send(x, "x", 1, 0));
  is("connect", connect(x, (void *)&b, bn));
  close(y);
  is("peer is gone", send(x, "x", 1, 0));
  is("and forgotten", send(x, "x", 1, 0));
  is("name is there", sendto(x, "x", 1, 0, (void *)&b, bn));
  is("autobind", bind(z, (void *)&none, 2));
  none.sun_family = AF_UNIX;
  is("autobind", bind(z, (void *)&none, 2));
  size = sizeof from;
  getsockname(z, (void *)&from, &size);
  printf("length %d\n", size);
  is("too long a name", bind(x, (void *)&a, 111));
  unlink("/tmp/two.sock");
  close(x);
  close(z);
}

static void options(void) {
  int s = socket(AF_UNIX, SOCK_SEQPACKET, 0), v;
  socklen_t n;
  const int all[] = {SO_DEBUG, SO_REUSEADDR, SO_TYPE, SO_ERROR, SO_SNDBUF, SO_RCVBUF, SO_KEEPALIVE, SO_PASSCRED, SO_RCVLOWAT, SO_SNDLOWAT, SO_ACCEPTCONN, SO_DOMAIN, SO_PROTOCOL, 999};
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
    n = sizeof v, v = -7;
    int r = getsockopt(s, SOL_SOCKET, all[i], &v, &n);
    printf("option %d: %d %d %d\n", all[i], r ? errno : 0, v, n);
  }
  const int values[] = {0, 1, 1000, 3000, 100000, 500000};
  for (int i = 0; i < 6; i++) {
    setsockopt(s, SOL_SOCKET, SO_SNDBUF, &values[i], 4);
    setsockopt(s, SOL_SOCKET, SO_RCVBUF, &values[i], 4);
    int snd, rcv;
    n = 4, getsockopt(s, SOL_SOCKET, SO_SNDBUF, &snd, &n);
    n = 4, getsockopt(s, SOL_SOCKET, SO_RCVBUF, &rcv, &n);
    printf("buffers %d: %d %d\n", values[i], snd, rcv);
  }
  v = 1;
  is("set type", setsockopt(s, SOL_SOCKET, SO_TYPE, &v, 4));
  is("set unknown", setsockopt(s, SOL_SOCKET, 999, &v, 4));
  is("short", setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &v, 3));
  is("another level", setsockopt(s, 6, 1, &v, 4));
  is("another level", getsockopt(s, 6, 1, &v, &n));
  n = 2, v = 0;
  is("part", getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &n));
  printf("%d %d\n", v, n);
  struct timeval tv = {0, 20000}, got;
  is("timeout", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  n = sizeof got;
  getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &got, &n);
  printf("%ld.%06ld\n", (long)got.tv_sec, (long)got.tv_usec);
  int p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  setsockopt(p[0], SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
  is("recv times out", recv(p[0], buffer, 1, 0));
  tv.tv_usec = 1000000;
  is("bad timeout", setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv));
  close(s);
}

static void packets(void) {
  int s[2];
  socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, s);
  is("write", write(s[0], "one", 3));
  is("write", write(s[0], "twotwo", 6));
  struct msghdr m = {0};
  struct iovec v[2] = {{buffer, 2}, {buffer + 10, 2}};
  m.msg_iov = v, m.msg_iovlen = 2;
  is("recvmsg", recvmsg(s[1], &m, 0));
  printf("flags %x\n", m.msg_flags);
  is("recvmsg", recvmsg(s[1], &m, 0));
  printf("flags %x\n", m.msg_flags);
  is("nothing", recvmsg(s[1], &m, 0));
  struct mmsghdr many[4];
  memset(many, 0, sizeof many);
  for (int i = 0; i < 4; i++) many[i].msg_hdr.msg_iov = v, many[i].msg_hdr.msg_iovlen = 1 + i % 2;
  is("sendmmsg", sendmmsg(s[0], many, 3, 0));
  printf("%d %d %d\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
  is("recvmmsg", recvmmsg(s[1], many, 4, 0, NULL));
  printf("%d %d %d\n", many[0].msg_len, many[1].msg_len, many[2].msg_len);
  is("recvmmsg", recvmmsg(s[1], many, 4, 0, NULL));
  close(s[0]);
  is("end", recv(s[1], buffer, 1, 0));
  is("EPIPE", send(s[1], "x", 1, 0));
  printf("SIGPIPE %d\n", pipes_seen);
  close(s[1]);
}

static void passing(int type) {
  int s[2], p[2];
  socketpair(AF_UNIX, type, 0, s);
  pipe(p);
  union { char room[CMSG_SPACE(sizeof(int) * 3) + CMSG_SPACE(sizeof(struct ucred))]; struct cmsghdr align; } control;
  struct iovec v = {"with files", 10};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(8)};
  memset(&control, 0, sizeof control);
  struct cmsghdr *c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(8);
  memcpy(CMSG_DATA(c), p, 8);
  is("sendmsg", sendmsg(s[0], &m, 0));
  close(p[1]);
  is("more", write(s[0], "more", 4));
  int on = 1;
  setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  v.iov_base = buffer, v.iov_len = 100;
  m.msg_controllen = sizeof control;
  memset(&control, 0, sizeof control);
  is("recvmsg", recvmsg(s[1], &m, MSG_CMSG_CLOEXEC));
  printf("flags %x control %zu\n", m.msg_flags, (size_t)m.msg_controllen);
  int got[2] = {-1, -1};
  for (c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
    printf("level %d type %d length %zu\n", c->cmsg_level, c->cmsg_type, (size_t)c->cmsg_len);
    if (c->cmsg_type == SCM_RIGHTS) memcpy(got, CMSG_DATA(c), 8);
    else printf("me %d\n", ((struct ucred *)CMSG_DATA(c))->pid == getpid());
  }
  printf("cloexec %d\n", fcntl(got[0], F_GETFD));
  is("through it", write(got[1], "through", 7));
  is("read", read(p[0], buffer, 100));
  printf("%.7s\n", buffer);
  close(got[0]);
  close(got[1]);
  is("end", read(p[0], buffer, 1));
  is("the rest", recv(s[1], buffer, 100, 0));
  /* No room for all of them; then none at all; then read, which loses them. */
  for (int i = 0; i < 3; i++) {
    int two[2];
    pipe(two);
    memset(&control, 0, sizeof control);
    v.iov_base = "y", v.iov_len = 1;
    m.msg_controllen = CMSG_SPACE(8);
    c = CMSG_FIRSTHDR(&m);
    c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(8);
    memcpy(CMSG_DATA(c), two, 8);
    is("sendmsg", sendmsg(s[0], &m, 0));
    close(two[1]);
    on = 0;
    setsockopt(s[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
    v.iov_base = buffer;
    m.msg_controllen = i == 0 ? CMSG_LEN(4) : 0;
    if (i == 2) is("read", read(s[1], buffer, 100));
    else is("recvmsg", recvmsg(s[1], &m, 0));
    printf("flags %x control %zu\n", i == 2 ? 0 : m.msg_flags, (size_t)m.msg_controllen);
    if (i == 0) {
      memcpy(got, CMSG_DATA(CMSG_FIRSTHDR(&m)), 4);
      printf("same reader %d\n", got[0] >= 0);
      close(got[0]);
    }
    is("no writer is left", read(two[0], buffer, 1));
    close(two[0]);
  }
  m.msg_controllen = CMSG_SPACE(4);
  m.msg_control = &control;
  c = CMSG_FIRSTHDR(&m);
  c->cmsg_level = SOL_SOCKET, c->cmsg_type = SCM_RIGHTS, c->cmsg_len = CMSG_LEN(4);
  *(int *)CMSG_DATA(c) = 99;
  is("bad file", sendmsg(s[0], &m, 0));
  c->cmsg_len = 3;
  is("bad length", sendmsg(s[0], &m, 0));
  c->cmsg_len = CMSG_LEN(4), c->cmsg_type = 77;
  is("bad type", sendmsg(s[0], &m, 0));
  /* A socket in its own queue, with nobody else to hold it. */
  c->cmsg_type = SCM_RIGHTS;
  *(int *)CMSG_DATA(c) = s[1];
  v.iov_base = "x", v.iov_len = 1;
  is("itself", sendmsg(s[0], &m, 0));
  close(s[0]);
  close(s[1]);
  close(p[0]);
}

/* No room to receive into: read(2) does not ask the socket, the others do. */
static void no_room(void) {
  int pair[2];
  char buffer[8], control[64], sent[CMSG_SPACE(sizeof(int))] = {0};
  struct iovec nothing = {buffer, 0}, one = {"x", 1};
  struct msghdr empty = {.msg_iov = &nothing, .msg_iovlen = 1}, none = {0}, with_file = {.msg_iov = &one, .msg_iovlen = 1, .msg_control = sent, .msg_controllen = sizeof sent};
  socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair);
  for (int round = 0; round < 2; round++) {
    printf("no room: %s\n", round ? "three bytes" : "nothing there");
    printf("recvmsg %ld", (long)recvmsg(pair[0], &empty, 0)), printf(" %d\n", errno), errno = 0;
    printf("recvmsg without ranges %ld", (long)recvmsg(pair[0], &none, 0)), printf(" %d\n", errno), errno = 0;
    printf("recv %ld", (long)recv(pair[0], buffer, 0, 0)), printf(" %d\n", errno), errno = 0;
    printf("recv MSG_PEEK %ld", (long)recv(pair[0], buffer, 0, MSG_PEEK)), printf(" %d\n", errno), errno = 0;
    printf("recv MSG_WAITALL %ld", (long)recv(pair[0], buffer, 0, MSG_WAITALL)), printf(" %d\n", errno), errno = 0;
    printf("read %ld", (long)read(pair[0], buffer, 0)), printf(" %d\n", errno), errno = 0;
    (void)!write(pair[1], "abc", 3);
  }
  printf("all %ld\n", (long)recv(pair[0], buffer, 8, 0));
  struct cmsghdr *head = CMSG_FIRSTHDR(&with_file);
  head->cmsg_level = SOL_SOCKET, head->cmsg_type = SCM_RIGHTS, head->cmsg_len = CMSG_LEN(sizeof(int)), *(int *)CMSG_DATA(head) = 1;
  sendmsg(pair[1], &with_file, 0);
  empty.msg_control = control, empty.msg_controllen = sizeof control;
  printf("a file %ld", (long)recvmsg(pair[0], &empty, 0)), printf(" %ld", (long)empty.msg_controllen), printf(", its byte %ld\n", (long)recv(pair[0], buffer, 8, 0));
  shutdown(pair[1], SHUT_WR);
  printf("at the end %ld\n", (long)recv(pair[0], buffer, 0, 0));
  int alone = socket(AF_UNIX, SOCK_STREAM, 0), packets = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
  errno = 0, printf("not connected: recv %ld", (long)recv(alone, buffer, 0, 0)), printf(" %d", errno), printf(", read %ld\n", (long)read(alone, buffer, 0));
  errno = 0, printf("datagrams: recv %ld", (long)recv(packets, buffer, 0, 0)), printf(" %d", errno), printf(", read %ld\n", (long)read(packets, buffer, 0));
}

/* SIGIO can be asked for by ioctl(2), too. */
static void asynchronous(void) {
  int pair[2], on = 1, off = 0;
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  int file = open("/tmp/asynchronous", O_CREAT | O_RDWR, 0600);
  printf("FIOASYNC of a socket: %d", ioctl(pair[0], FIOASYNC, &on)), printf(" %#x", fcntl(pair[0], F_GETFL) & O_ASYNC);
  printf(", off %d", ioctl(pair[0], FIOASYNC, &off)), printf(" %#x\n", fcntl(pair[0], F_GETFL) & O_ASYNC);
  errno = 0, printf("of a file: off %d", ioctl(file, FIOASYNC, &off)), printf(", on %d", ioctl(file, FIOASYNC, &on)), printf(" %d", errno);
  printf(", nowhere %d", ioctl(file, FIOASYNC, (void *)8)), printf(" %d\n", errno);
}

int main(void) {
  signal(SIGPIPE, on_pipe);
  umask(022);
  making();
  streams();
  room("stream", SOCK_STREAM, 1);
  room("stream", SOCK_STREAM, 1000);
  room("stream", SOCK_STREAM, 4000);
  room("stream", SOCK_STREAM, 10000);
  room("stream", SOCK_STREAM, 300000);
  room("datagram", SOCK_DGRAM, 1);
  room("datagram", SOCK_DGRAM, 5000);
  room("datagram", SOCK_DGRAM, 50000);
  room("packet", SOCK_SEQPACKET, 100);
  connections("/tmp/one.sock", SOCK_STREAM);
  connections("@abstract pagoda", SOCK_SEQPACKET);
  datagrams();
  options();
  packets();
  no_room();
  asynchronous();
  passing(SOCK_STREAM);
  passing(SOCK_DGRAM);
  printf("SIGPIPE %d\n", pipes_seen);
  return 0;
}
