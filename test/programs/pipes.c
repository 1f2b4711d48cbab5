/* Pipes and FIFOs in one process: capacity, atomic writes, sizes, poll, hang-up, EPIPE, O_DIRECT, FIONREAD, eventfd, tee. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char buffer[1 << 20];
static int pipes_seen;

static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void on_pipe(int signal) { pipes_seen += signal == SIGPIPE; }

static int bits(int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLRDNORM | POLLWRNORM, 0};
  return poll(&p, 1, 0) < 0 ? -1 : p.revents;
}

static void both(const char *what, int *p) { printf("%s: reader %x writer %x\n", what, bits(p[0]), bits(p[1])); }

static int readable(int fd) {
  int n = -1;
  if (ioctl(fd, FIONREAD, &n) < 0) return -errno;
  return n;
}

/* Writes of so many bytes until one does not fit. */
static void fill(const char *what, size_t step) {
  int p[2];
  pipe2(p, O_NONBLOCK);
  long count = 0, total = 0, r;
  while ((r = write(p[1], buffer, step)) > 0) count++, total += r;
  printf("%s: %ld writes, %ld bytes, then %s\n", what, count, total, errno_name(errno));
  both("  full", p);
  printf("  readable %d\n", readable(p[0]));
  is("  one more byte", write(p[1], "x", 1));
  is("  read 4095", read(p[0], buffer, 4095));
  both("  after", p);
  is("  write 1", write(p[1], "x", 1));
  is("  read 1", read(p[0], buffer, 1));
  both("  after", p);
  is("  write 5000", write(p[1], buffer, 5000));
  close(p[0]);
  close(p[1]);
}

static void basics(void) {
  int p[2];
  is("pipe2 bad flags", pipe2(p, O_APPEND));
  is("pipe fault", pipe((int *)8));
  is("pipe", pipe(p));
  struct stat st;
  fstat(p[0], &st);
  printf("mode %o size %ld links %d blksize %ld\n", st.st_mode, (long)st.st_size, (int)st.st_nlink, (long)st.st_blksize);
  printf("flags %x %x\n", fcntl(p[0], F_GETFL), fcntl(p[1], F_GETFL));
  both("empty", p);
  is("write", write(p[1], "hello", 5));
  is("write", write(p[1], " world", 6));
  both("some", p);
  printf("readable %d %d\n", readable(p[0]), readable(p[1]));
  struct iovec v[3] = {{buffer, 2}, {buffer + 10, 0}, {buffer + 20, 5}};
  is("readv", readv(p[0], v, 3));
  printf("%.2s|%.5s\n", buffer, buffer + 20);
  is("seek", lseek(p[0], 0, SEEK_SET));
  is("pread", pread(p[0], buffer, 1, 0));
  is("read the wrong end", read(p[1], buffer, 1));
  is("write the wrong end", write(p[0], buffer, 1));
  is("truncate", ftruncate(p[0], 0));
  is("fsync", fsync(p[0]));
  is("read nothing", read(p[0], buffer, 0));
  is("read to nowhere", read(p[0], (void *)8, 3));
  is("read", read(p[0], buffer, 100));
  printf("%.4s\n", buffer);
  is("write from nowhere", write(p[1], (void *)8, 3));
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  is("read empty", read(p[0], buffer, 1));
  close(p[1]);
  printf("hung up %x\n", bits(p[0]));
  is("end", read(p[0], buffer, 1));
  close(p[0]);
  pipe(p);
  write(p[1], "left", 4);
  close(p[0]);
  printf("no reader %x\n", bits(p[1]));
  is("EPIPE", write(p[1], "x", 1));
  is("EPIPE of nothing", write(p[1], "x", 0));
  printf("SIGPIPE %d\n", pipes_seen);
  close(p[1]);
}

static void sizes(void) {
  int p[2];
  pipe2(p, O_NONBLOCK);
  is("size", fcntl(p[0], F_GETPIPE_SZ));
  is("set 1", fcntl(p[1], F_SETPIPE_SZ, 1));
  is("set 5000", fcntl(p[1], F_SETPIPE_SZ, 5000));
  is("set 0", fcntl(p[1], F_SETPIPE_SZ, 0));
  is("write", write(p[1], buffer, 100000));
  is("smaller", fcntl(p[1], F_SETPIPE_SZ, 4096));
  is("set 1 MiB", fcntl(p[1], F_SETPIPE_SZ, 1 << 20));
  is("write", write(p[1], buffer, 100000));
  is("size of a file", fcntl(open("/dev/null", O_RDWR), F_GETPIPE_SZ));
  is("F_SETFL", fcntl(p[1], F_SETFL, O_DIRECT | O_NONBLOCK));
  is("empty it", read(p[0], buffer, sizeof buffer));
  is("packet", write(p[1], "one", 3));
  is("packet", write(p[1], "two", 3));
  is("packet", write(p[1], buffer, 5000));
  is("read 2", read(p[0], buffer, 2));
  is("read 100", read(p[0], buffer, 100));
  is("read 4096", read(p[0], buffer, 4096));
  is("read rest", read(p[0], buffer, 4096));
  close(p[0]);
  close(p[1]);
}

static void fifos(void) {
  unlink("/tmp/fifo");
  is("mkfifo", mkfifo("/tmp/fifo", 0644));
  is("again", mkfifo("/tmp/fifo", 0644));
  is("writer without reader", open("/tmp/fifo", O_WRONLY | O_NONBLOCK));
  int r = open("/tmp/fifo", O_RDONLY | O_NONBLOCK);
  printf("reader %x\n", bits(r));
  is("no writer yet", read(r, buffer, 1));
  int w = open("/tmp/fifo", O_WRONLY);
  printf("reader %x writer %x\n", bits(r), bits(w));
  is("empty", read(r, buffer, 1));
  is("write", write(w, "fifo", 4));
  is("read", read(r, buffer, 10));
  close(w);
  printf("reader %x\n", bits(r));
  is("end", read(r, buffer, 10));
  int both = open("/tmp/fifo", O_RDWR);
  printf("both %x reader %x\n", bits(both), bits(r));
  is("write", write(both, "x", 1));
  is("read", read(both, buffer, 10));
  struct stat st;
  stat("/tmp/fifo", &st);
  printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
  close(both);
  close(r);
  is("gone: nobody reads", open("/tmp/fifo", O_WRONLY | O_NONBLOCK));
  is("unlink", unlink("/tmp/fifo"));
}

static void events(void) {
  uint64_t v = 5;
  int e = eventfd(3, EFD_NONBLOCK);
  printf("eventfd %x\n", bits(e));
  is("read", read(e, &v, 8));
  printf("value %lu bits %x\n", (unsigned long)v, bits(e));
  is("read again", read(e, &v, 8));
  is("short", read(e, &v, 7));
  v = UINT64_MAX;
  is("write max", write(e, &v, 8));
  v = UINT64_MAX - 1;
  is("write max - 1", write(e, &v, 8));
  printf("bits %x\n", bits(e));
  v = 1;
  is("one more", write(e, &v, 8));
  is("short", write(e, &v, 4));
  is("read", read(e, &v, 100));
  printf("value %lx\n", (unsigned long)v);
  close(e);
  e = eventfd(2, EFD_SEMAPHORE | EFD_NONBLOCK);
  for (int i = 0; i < 3; i++) is("take", read(e, &v, 8));
  printf("value %lu\n", (unsigned long)v);
  is("seek", lseek(e, 1, SEEK_SET));
  is("bad flags", eventfd(0, 64));
  struct stat st;
  fstat(e, &st);
  printf("mode %o\n", st.st_mode);
  char link[64];
  snprintf(buffer, 64, "/proc/self/fd/%d", e);
  link[readlink(buffer, link, 63)] = 0;
  printf("%.21s\n", link);
  close(e);
}

static void moving(void) {
  int a[2], b[2];
  pipe2(a, O_NONBLOCK);
  pipe2(b, O_NONBLOCK);
  write(a[1], "copied and moved", 16);
  is("tee", tee(a[0], b[1], 6, SPLICE_F_NONBLOCK));
  is("tee itself", tee(a[0], a[1], 6, 0));
  is("read", read(b[0], buffer, 100));
  printf("%.6s readable %d\n", buffer, readable(a[0]));
  is("splice", splice(a[0], NULL, b[1], NULL, 10, 0));
  is("read", read(b[0], buffer, 100));
  printf("%.10s readable %d\n", buffer, readable(a[0]));
  int fd = open("/tmp/spliced", O_RDWR | O_CREAT | O_TRUNC, 0600);
  loff_t at = 3;
  is("splice to a file", splice(a[0], NULL, fd, &at, 100, 0));
  printf("at %ld size %ld\n", (long)at, (long)lseek(fd, 0, SEEK_END));
  at = 0;
  is("splice from a file", splice(fd, &at, a[1], NULL, 100, 0));
  printf("at %ld readable %d\n", (long)at, readable(a[0]));
  is("splice with an offset of a pipe", splice(a[0], &at, fd, NULL, 1, 0));
  is("splice without a pipe", splice(fd, NULL, fd, NULL, 1, 0));
  is("splice a directory", splice(open("/", O_RDONLY), NULL, a[1], NULL, 1, 0));
  is("empty", (read(a[0], buffer, 100), splice(a[0], NULL, b[1], NULL, 10, SPLICE_F_NONBLOCK)));
  struct iovec v[2] = {{"vm", 2}, {"splice", 6}};
  is("vmsplice", vmsplice(a[1], v, 2, 0));
  is("read", read(a[0], buffer, 100));
  printf("%.8s\n", buffer);
  lseek(fd, 0, SEEK_SET);
  pwrite(fd, "from the file", 13, 0);
  is("sendfile", sendfile(a[1], fd, NULL, 100));
  is("read", read(a[0], buffer, 100));
  printf("%.13s\n", buffer);
  unlink("/tmp/spliced");
}

static void selects(void) {
  int p[2];
  pipe(p);
  fd_set in, out, error;
  for (int i = 0; i < 2; i++) {
    FD_ZERO(&in);
    FD_ZERO(&out);
    FD_ZERO(&error);
    FD_SET(p[0], &in);
    FD_SET(p[1], &out);
    FD_SET(p[0], &error);
    struct timeval tv = {0, 1000};
    is("select", select(p[1] + 1, &in, &out, &error, &tv));
    printf("%d %d %d\n", FD_ISSET(p[0], &in) != 0, FD_ISSET(p[1], &out) != 0, FD_ISSET(p[0], &error) != 0);
    write(p[1], "x", 1);
  }
  struct pollfd f[3] = {{p[0], POLLIN, 0}, {-1, POLLIN, 7}, {99, POLLIN, 0}};
  is("poll", poll(f, 3, 1000));
  printf("%x %x %x\n", f[0].revents, f[1].revents, f[2].revents);
  read(p[0], buffer, 10);
  is("timeout", poll(f, 1, 2));
}

int main(void) {
  signal(SIGPIPE, on_pipe);
  basics();
  fill("bytes", 1);
  fill("hundreds", 100);
  fill("odd", 4095);
  fill("pages", 4096);
  fill("more", 4097);
  fill("3000", 3000);
  fill("much", 100000);
  sizes();
  fifos();
  events();
  moving();
  selects();
  printf("SIGPIPE %d\n", pipes_seen);
  return 0;
}
