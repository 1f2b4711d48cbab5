/* Calls on open files, each used rightly and wrongly: what they return, and which errno comes first. */
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

static void reading_and_writing(void) {
  int fd = open("f", O_RDWR), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), dd = open("d", O_RDONLY);
  T(read(99, BAD, 1));
  T(read(wo, buf, 1));
  T(write(ro, buf, 1));
  T(read(fd, BAD, 1));
  T(read(fd, BAD, 0));
  T(read(fd, (void *)-1L, 1));
  T(read(fd, buf, -1));
  T(write(fd, BAD, 1));
  T(write(fd, BAD, 0));
  T(read(dd, buf, 1));
  T(read(dd, BAD, 0));
  T(pread(dd, buf, 1, 0));
  T(pread(fd, buf, 1, -1));
  T(pread(99, buf, 1, -1));
  T(pwrite(ro, buf, 1, 0));
  T(lseek(fd, -1, SEEK_SET));
  T(lseek(fd, 0, 9));
  T(lseek(fd, 1L << 62, SEEK_SET));
  T(lseek(fd, 0, SEEK_SET));
  T(lseek(dd, 3, SEEK_SET));
  T(lseek(dd, 0, SEEK_END) >= 0);
  T(lseek(fd, 100, SEEK_DATA));
  T(lseek(fd, 0, SEEK_DATA));
  T(lseek(fd, 0, SEEK_HOLE));
  T(lseek(fd, -1, SEEK_DATA));
  close(fd);
  close(ro);
  close(wo);
  close(dd);
}


static void vectors(void) {
  int fd = open("f", O_RDWR), wo = open("f", O_WRONLY);
  struct iovec iv[2] = {{buf, 3}, {buf + 3, -1}};
  T(readv(fd, iv, 2));
  T(readv(fd, iv, -1));
  T(readv(fd, iv, 1025));
  T(readv(fd, (void *)BAD, 1));
  T(readv(fd, (void *)BAD, 0));
  iv[1].iov_len = 0;
  iv[1].iov_base = BAD;
  lseek(fd, 0, 0);
  T(readv(fd, iv, 2));
  iv[1].iov_len = 5;
  lseek(fd, 0, 0);
  T(readv(fd, iv, 2));
  T(writev(fd, iv, 2));
  T(preadv(fd, iv, 1, -1));
  T(preadv2(fd, iv, 1, 0, 0x100));
  T(preadv2(fd, iv, 1, -1, 0));
  T(readv(wo, iv, 1));
  T(readv(wo, (void *)BAD, 1));
  close(fd);
  close(wo);
}


static void sizes(void) {
  int fd = open("f", O_RDWR), ro = open("f", O_RDONLY), dd = open("d", O_RDONLY);
  T(ftruncate(fd, -1));
  T(ftruncate(ro, 1));
  T(ftruncate(dd, 1));
  T(ftruncate(99, -1));
  T(truncate("d", 1));
  T(truncate("nope", 1));
  T(truncate("nope", -1));
  T(truncate("s", 3));
  T(ftruncate(fd, 10000));
  st("f");
  T(pwrite(fd, "x", 1, 9000));
  st("f");
  T(fallocate(fd, 0, 0, 8192));
  st("f");
  T(fallocate(fd, 3, 0, 4096));
  st("f");
  T(fallocate(fd, 2, 0, 1));
  T(fallocate(fd, 0, -1, 1));
  T(fallocate(fd, 0, 0, 0));
  T(fallocate(ro, 0, 0, 1));
  T(fallocate(dd, 0, 0, 1));
  T(fallocate(fd, 8, 0, 4096));
  T(fallocate(fd, 16, 0, 4096));
  T(fallocate(99, 3, -1, 0));
  close(fd);
  close(ro);
  close(dd);
}


static void descriptors(void) {
  int fd = open("f", O_RDWR), ro = open("f", O_RDONLY);
  T(fcntl(fd, F_DUPFD, -1));
  T(fcntl(fd, F_DUPFD, 1 << 20));
  T(fcntl(fd, 999));
  T(fcntl(99, F_GETFD));
  T(dup3(fd, fd, 0));
  T(dup3(fd, 50, 1));
  T(dup3(99, 50, 0));
  T(dup3(fd, 1 << 20, 0));
  T(dup3(fd, -1, 0));
  T(dup2(fd, fd) == fd);
  T(dup2(99, 50));
  T(close(99));
  T(close(-1));
  T(fcntl(fd, F_SETFD, 3));
  T(fcntl(fd, F_GETFD));
  T(fcntl(fd, F_GETPIPE_SZ));
  T(fcntl(fd, F_ADD_SEALS, 1));
  T(fcntl(fd, F_GET_SEALS));
  struct flock fl = {.l_type = F_WRLCK};
  T(fcntl(fd, F_GETLK, &fl));
  printf("l_type %d\n", fl.l_type);
  T(fcntl(fd, F_SETLK, &fl));
  T(syscall(SYS_fcntl, fd, F_SETLK, BAD));
  T(flock(fd, 0));
  T(flock(fd, LOCK_EX));
  T(flock(ro, LOCK_SH | LOCK_NB));
  T(flock(fd, LOCK_UN));
  T(flock(99, LOCK_SH));
  T(flock(fd, LOCK_SH | LOCK_EX));
  close(fd);
  close(ro);
}


static void ioctls(void) {
  int fd = open("f", O_RDWR), dd = open("d", O_RDONLY);
  T(ioctl(fd, TCGETS, buf));
  T(ioctl(fd, 0x1234, buf));
  T(ioctl(99, 0x1234, buf));
  T(ioctl(fd, FIONREAD, buf));
  printf("fionread %d\n", *(int *)buf);
  T(ioctl(dd, FIONREAD, buf));
  T(ioctl(fd, FIOCLEX));
  T(fcntl(fd, F_GETFD));
  close(fd);
  close(dd);
}


static void syncing_and_modes(void) {
  int fd = open("f", O_RDWR), dd = open("d", O_RDONLY);
  T(fsync(fd));
  T(fsync(99));
  T(fdatasync(dd));
  T(syscall(SYS_fsync, open("/dev/null", O_RDWR)));
  T(fchmod(99, 0));
  T(chmod("nope", 0));
  T(chmod("f", 07777));
  st("f");
  T(fchmodat(-100, "s", 0600, AT_SYMLINK_NOFOLLOW));
  T(syscall(452, -100, "f", 0600, 0x800));
  T(lchown("s", 5, 6));
  st("s");
  T(chown("f", -1, -1));
  T(fchownat(-100, "f", 1, 1, 1));
  st("f");
  T(chown("f", 0, 0));
  close(fd);
  close(dd);
}


static void access_and_links(void) {
  T(access("f", 7));
  T(access("f", 8));
  T(access("d", 7));
  T(access("nope", 0));
  T(chmod("f", 0600));
  T(access("f", 1));
  T(access("f", 2));
  T(faccessat(-100, "dang", 0, AT_SYMLINK_NOFOLLOW));
  T(syscall(439, -100, "f", 0, 1));
  T(access("/proc/version", 2));
  T(access("/proc/version", 1));
  T(readlink("s", buf, 1));
  T(readlink("s", buf, 0));
  T(readlink("f", buf, 10));
  T(readlink("nope", buf, 10));
  T(readlink("s", BAD, 10));
  T(readlink("s/", buf, 10));
  T(readlink("sd/", buf, 10));
  T(readlink("", buf, 10));
  T(readlink("d", buf, -1));
}


static void listing(void) {
  int fd = open("f", O_RDWR), dd = open("d", O_RDONLY);
  T(syscall(SYS_getdents64, fd, buf, 100));
  lseek(dd, 0, 0);
  T(syscall(SYS_getdents64, dd, buf, 24));
  T(syscall(SYS_getdents64, dd, buf, 1000) > 0);
  T(syscall(SYS_getdents64, dd, buf, 1000));
  T(syscall(SYS_getdents64, dd, BAD, 1000));
  lseek(dd, 0, 0);
  T(syscall(SYS_getdents64, dd, BAD, 1000));
  T(syscall(SYS_getdents64, 99, buf, 1000));
  close(fd);
  close(dd);
}


static void advice_and_times(void) {
  int fd = open("f", O_RDWR);
  T(posix_fadvise(fd, 0, 0, 9));
  T(posix_fadvise(fd, 0, -1, 0));
  T(posix_fadvise(99, 0, 0, 0));
  T(posix_fadvise(fd, 0, 0, 3));
  struct timespec ts[2] = {{100, 5}, {200, 1000000000}};
  T(utimensat(-100, "f", ts, 0));
  ts[1].tv_nsec = UTIME_OMIT;
  T(utimensat(-100, "f", ts, 0));
  T(utimensat(-100, "nope", ts, 0));
  ts[0].tv_nsec = UTIME_OMIT;
  T(utimensat(-100, "nope", ts, 0));
  T(syscall(SYS_utimensat, -100, "f", BAD, 0));
  T(utimensat(-100, "f", NULL, 1));
  T(syscall(SYS_utimensat, fd, NULL, NULL, 0));
  T(syscall(SYS_utimensat, fd, NULL, NULL, 0x100));
  T(syscall(SYS_utimensat, -100, NULL, NULL, 0));
  T(syscall(SYS_utimensat, 99, NULL, NULL, 0));
  struct stat s;
  ts[0].tv_nsec = 7;
  ts[1].tv_sec = -5;
  ts[1].tv_nsec = 9;
  utimensat(-100, "f", ts, 0);
  stat("f", &s);
  printf("times %ld.%ld %ld.%ld\n", s.st_atim.tv_sec, s.st_atim.tv_nsec, s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
  close(fd);
}


static void copying(void) {
  int fd = open("f", O_RDWR), ro = open("f", O_RDONLY), wo = open("f", O_WRONLY), dd = open("d", O_RDONLY);
  T(sendfile(fd, ro, NULL, 3));
  T(sendfile(ro, fd, NULL, 3));
  T(sendfile(fd, wo, NULL, 3));
  T(sendfile(fd, dd, NULL, 3));
  T(sendfile(fd, 99, BAD, 3));
  T(sendfile(99, ro, BAD, 3));
  long off = -1;
  T(sendfile(fd, ro, &off, 3));
  T(copy_file_range(ro, NULL, dd, NULL, 1, 0));
  T(copy_file_range(ro, NULL, fd, NULL, 1, 1));
  T(copy_file_range(ro, NULL, wo, NULL, 10, 0));
  T(copy_file_range(fd, NULL, ro, NULL, 10, 0));
  T(copy_file_range(99, NULL, ro, NULL, 10, 1));
  {
    long a = 0, b = 2;
    T(copy_file_range(fd, &a, fd, &b, 5, 0));
  }
  T(copy_file_range(0, NULL, fd, NULL, 0, 0) <= 0);
  T(statfs("nope", (void *)buf));
  T(syscall(SYS_statfs, "/tmp", BAD));
  close(fd);
  close(ro);
  close(wo);
  close(dd);
}


static void statistics(void) {
  int fd = open("f", O_RDWR);
  struct statfs sf;
  statfs("/tmp", &sf);
  printf("tmp %lx bsize %ld namelen %ld frsize %ld\n", (long)sf.f_type, (long)sf.f_bsize, (long)sf.f_namelen, (long)sf.f_frsize);
  statfs("/proc", &sf);
  printf("proc %lx %ld\n", (long)sf.f_type, (long)sf.f_blocks);
  struct statx sx;
  T(statx(-100, "f", 0, 0x7ff, &sx));
  printf("mask %x size %lld mode %o blk %u attr %llx\n", sx.stx_mask & 0x7ff, sx.stx_size, sx.stx_mode, sx.stx_blksize, sx.stx_attributes);
  T(statx(-100, "f", 0, 0x80000000, &sx));
  T(statx(-100, "f", 0x6000, 0, &sx));
  T(statx(-100, "f", 1, 0, &sx));
  T(statx(-100, "", 0, 0, &sx));
  T(statx(-100, "", AT_EMPTY_PATH, 0, &sx));
  T(statx(fd, NULL, AT_EMPTY_PATH, 0, &sx));
  T(syscall(SYS_newfstatat, fd, NULL, buf, AT_EMPTY_PATH));
  T(syscall(SYS_newfstatat, -100, "f", BAD, 0));
  T(syscall(SYS_newfstatat, -100, "f", buf, 1));
  T(fstat(99, (void *)buf));
  T(syscall(SYS_fstat, fd, BAD));
  close(fd);
}


static void working_directory(void) {
  int fd = open("f", O_RDWR);
  T(syscall(SYS_getcwd, buf, 7));
  T(syscall(SYS_getcwd, buf, 6));
  T(syscall(SYS_getcwd, BAD, 100));
  T(chdir("f"));
  T(chdir("nope"));
  T(chdir(""));
  T(fchdir(fd));
  T(fchdir(99));
  T(chroot("nope"));
  T(chroot("f"));
  close(fd);
}


static void memfds(void) {
  int fd = open("f", O_RDWR);
  struct stat s;
  T(memfd_create("x", 0x40));
  T(memfd_create(BAD, 0));
  memset(buf, 'a', 300);
  buf[249] = 0;
  T(memfd_create(buf, 0) > 0);
  buf[249] = 'a';
  buf[250] = 0;
  T(memfd_create(buf, 0));
  int m = memfd_create("m", MFD_ALLOW_SEALING);
  T(fcntl(m, F_GET_SEALS));
  T(fcntl(m, F_ADD_SEALS, 0x100));
  T(fcntl(m, F_ADD_SEALS, F_SEAL_SHRINK));
  T(ftruncate(m, 100));
  T(ftruncate(m, 50));
  T(fcntl(m, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW));
  T(write(m, "a", 1));
  T(pwrite(m, "a", 1, 200));
  T(ftruncate(m, 200));
  T(fallocate(m, 3, 0, 1));
  T(fallocate(m, 0, 0, 500));
  T(fcntl(m, F_GET_SEALS));
  T(fcntl(m, F_ADD_SEALS, F_SEAL_SEAL));
  T(fcntl(m, F_ADD_SEALS, F_SEAL_GROW));
  int m2 = memfd_create("m2", 0);
  T(fcntl(m2, F_GET_SEALS));
  T(fcntl(m2, F_GETFL));
  fstat(m2, &s);
  printf("memfd mode %o nlink %lu\n", s.st_mode, (long)s.st_nlink);
  T(fcntl(m2, F_GETFD));
  char link[64];
  sprintf(link, "/proc/self/fd/%d", m2);
  memset(buf, 0, 100);
  T(readlink(link, buf, 100));
  printf("%s\n", buf);
  int m3 = memfd_create("n", 8);
  fstat(m3, &s);
  printf("noexec %o seals %d\n", s.st_mode, fcntl(m3, F_GET_SEALS));
  {
    int x = open(link, O_RDWR);
    T(write(x, "via", 3));
    T(lseek(m2, 0, SEEK_END));
    close(x);
  }
  close(fd);
}


static void devices(void) {
  int n = open("/dev/null", O_RDWR), z = open("/dev/zero", O_RDWR), fu = open("/dev/full", O_RDWR);
  T(read(n, buf, 5));
  T(write(n, BAD, 5));
  T(read(z, buf, 5));
  T(write(z, BAD, 5));
  T(write(fu, buf, 1));
  T(read(fu, buf, 3));
  T(lseek(n, 5, 0));
  T(lseek(z, 5, 1));
  T(lseek(fu, 5, 1));
  T(pread(z, buf, 3, 10));
  T(ftruncate(n, 0));
  T(fallocate(n, 0, 0, 1));
  T(ioctl(n, TCGETS, buf));
  T(open("/dev/nothing", O_RDONLY));
  st("/dev/null");
  st("/dev/zero");
  T(truncate("/dev/null", 0));
  T(open("/dev/null", O_RDWR | O_TRUNC | O_CREAT, 0600) > 0);
  T(mmap(0, 1, PROT_READ, MAP_PRIVATE, n, 0) == MAP_FAILED ? -1 : 0);
}


static void polling(void) {
  int fd = open("f", O_RDWR);
  int n = open("/dev/null", O_RDWR);
  struct pollfd pf[4] = {{fd, POLLIN | POLLOUT}, {99, POLLIN}, {-1, POLLIN}, {n, POLLIN}};
  T(poll(pf, 4, 0));
  printf("revents %x %x %x %x\n", pf[0].revents, pf[1].revents, pf[2].revents, pf[3].revents);
  T(poll(BAD, 1, 0));
  T(poll(NULL, 0, 1));
  T(poll(pf, 1 << 20, 0));
  fd_set rs, ws;
  FD_ZERO(&rs);
  FD_ZERO(&ws);
  FD_SET(fd, &rs);
  FD_SET(fd, &ws);
  struct timeval tv = {0, 0};
  T(select(fd + 1, &rs, &ws, NULL, &tv));
  FD_SET(99, &rs);
  T(select(100, &rs, NULL, NULL, &tv));
  tv.tv_usec = -1;
  T(select(-1, NULL, NULL, NULL, NULL));
  close(fd);
}


static void running_out(void) {
  struct rlimit rl = {6, 6};
  int fd;
  for (fd = 3; fd < 40; fd++) close(fd);
  setrlimit(RLIMIT_NOFILE, &rl);
  T(open("f", 0));
  T(open("f", 0));
  T(open("f", 0));
  T(open("f", 0));
  T(open("nope", 0));
  T(dup(3));
  T(dup3(3, 5, 0));
  T(dup3(3, 6, 0));
  T(fcntl(3, F_DUPFD, 6));
  T(fcntl(3, F_DUPFD, 5));
  close(3);
  close(4);
  close(5);
}


static void proc(void) {
  T(open("/proc/self/maps", O_RDWR));
  close(4);
  T(open("/proc/self/nothing", 0));
  T(open("/proc/self/exe", O_PATH) > 0);
  st("/proc/self");
  st("/proc/self/maps");
  st("/proc/self/exe");
  st("/proc/meminfo");
  st("/proc/self/fd");
  T(readlink("/proc/self/fd/99", buf, 10));
  {
    int fd = open("/proc/self/comm", O_RDWR);
    T(write(fd, "renamed\n", 8));
    T(pread(fd, buf, 100, 0));
    buf[8] = 0;
    printf("%s", buf);
    close(fd);
  }
  {
    int fd = open("/proc/self/status", 0);
    T(lseek(fd, 5, 0));
    T(lseek(fd, 0, SEEK_END));
    T(pread(fd, buf, 4, 0));
    T(ftruncate(fd, 0));
    close(fd);
    fd = open("/proc/self/pagemap", 0);
    T(pread(fd, buf, 7, 0));
    T(pread(fd, buf, 8, 3));
    T(pread(fd, buf, 16, 8));
    T(pread(fd, buf, 8, 8L << 40));
    close(fd);
  }
}


int main(void) {
  T(mkdir("/tmp/t", 0755));
  T(chdir("/tmp/t"));
  T(mkdir("d", 0755));
  T(symlink("f", "s"));
  T(symlink("nowhere", "dang"));
  T(symlink("d", "sd"));
  touch("f", "hello");
  touch("d/x", "");
  reading_and_writing();
  vectors();
  sizes();
  descriptors();
  ioctls();
  syncing_and_modes();
  access_and_links();
  listing();
  advice_and_times();
  copying();
  statistics();
  working_directory();
  memfds();
  devices();
  polling();
  running_out();
  proc();
  return 0;
}
