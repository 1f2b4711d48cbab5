/* pidfd_open(2), pidfd_send_signal(2), pidfd_getfd(2), CLONE_PIDFD and waitid(P_PIDFD): every flag and error, and how a pidfd polls. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define NONBLOCK 04000
#define THREAD 0200
#define P_PIDFD_ 3
#define CLONE_PIDFD_ 0x1000
#define CLONE_CLEAR_SIGHAND_ 0x100000000ULL

static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static void made(const char *what, long fd) {
  if (fd < 0) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: flags %x, fd flags %x\n", what, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD)), close(fd);
}
static int open_pid(int pid, unsigned flags) { return syscall(434, pid, flags); }
static long send(int fd, int sig, void *info, unsigned flags) { return syscall(424, fd, sig, info, flags); }
static long getfd(int fd, int wanted, unsigned flags) { return syscall(438, fd, wanted, flags); }
static long await(int type, long id, siginfo_t *info, int options) { return syscall(SYS_waitid, type, id, info, options, NULL); }
static void polled(const char *what, int fd) {
  struct pollfd p = {fd, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM, 0};
  int r = poll(&p, 1, 0);
  printf("%s: poll %d %x\n", what, r, p.revents);
}
static int fork_waiting(int *end) {
  int p[2];
  pipe(p);
  int pid = fork();
  if (pid == 0) {
    char c;
    close(p[1]);
    _exit(read(p[0], &c, 1) == 1 ? c : 99);
  }
  close(p[0]);
  *end = p[1];
  return pid;
}
static void let_go(int end, char status) { write(end, &status, 1), close(end); }

static void opening(void) {
  int me = getpid();
  puts("-- opening");
  made("own", open_pid(me, 0));
  made("nonblock", open_pid(me, NONBLOCK));
  made("thread", open_pid(me, THREAD));
  made("both", open_pid(me, THREAD | NONBLOCK));
  for (int bit = 0; bit < 32; bit++)
    if ((1u << bit) != NONBLOCK && (1u << bit) != THREAD && open_pid(me, 1u << bit) != -1) printf("bit %d accepted\n", bit);
  show("unknown flag", open_pid(me, 1));
  show("zero", open_pid(0, 0));
  show("minus one", open_pid(-1, 0));
  show("most negative", open_pid(INT32_MIN, 0));
  show("flags before number", open_pid(-1, 1));
  show("nobody", open_pid(0x7fffffff, 0));
  show("nobody, out of range", open_pid(4194305, 0));
  errno = 0;
  long wide = syscall(434, (long)me | 1L << 32, 0L);
  printf("upper half of the number: %s\n", wide >= 0 ? "ignored" : errno_name(errno));
  close(wide);
  int fd = open_pid(me, 0), again = open_pid(me, 0);
  struct stat a, b;
  fstat(fd, &a), fstat(again, &b);
  printf("mode %o size %ld links %ld blksize %ld blocks %ld same inode %d uid %d\n", a.st_mode, (long)a.st_size, (long)a.st_nlink,
         (long)a.st_blksize, (long)a.st_blocks, a.st_ino == b.st_ino && a.st_dev == b.st_dev, a.st_uid);
  char path[64], text[256], want[64];
  snprintf(path, 64, "/proc/self/fd/%d", fd);
  int n = readlink(path, text, 255);
  printf("link %.*s\n", n < 0 ? 0 : n, text);
  snprintf(path, 64, "/proc/self/fdinfo/%d", fd);
  int info = open(path, O_RDONLY);
  n = read(info, text, 255), text[n < 0 ? 0 : n] = 0;
  close(info);
  snprintf(want, 64, "\nPid:\t%d\nNSpid:\t%d\n", me, me);
  printf("fdinfo ends with the number: %d\n", strstr(text, want) != NULL);
  char byte = 0;
  show("read", read(fd, &byte, 1));
  show("write", write(fd, &byte, 1));
  show("pread", pread(fd, &byte, 1, 0));
  show("lseek", lseek(fd, 0, SEEK_CUR));
  show("ftruncate", ftruncate(fd, 0));
  show("mmap", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
  show("ioctl", ioctl(fd, FIONREAD, &n));
  show("set O_NONBLOCK", fcntl(fd, F_SETFL, NONBLOCK));
  printf("F_GETFL %x\n", fcntl(fd, F_GETFL));
  polled("alive", fd);
  close(fd), close(again);
}

static void ends(void) {
  puts("-- ends");
  int end, pid = fork_waiting(&end);
  int fd = open_pid(pid, 0), thread = open_pid(pid, THREAD), ep = epoll_create1(0);
  struct epoll_event e = {EPOLLIN, {.u32 = 7}}, got = {0};
  show("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e));
  show("epoll before", epoll_wait(ep, &got, 1, 0));
  let_go(end, 5);
  show("epoll", epoll_wait(ep, &got, 1, -1));
  printf("events %x data %u\n", got.events, got.data.u32);
  polled("zombie", fd), polled("zombie's thread", thread);
  made("opened as zombie", open_pid(pid, 0));
  show("signal 0 to a zombie", send(fd, 0, NULL, 0));
  show("signal to a zombie", send(fd, SIGTERM, NULL, 0));
  show("getfd of a zombie", getfd(fd, 0, 0));
  siginfo_t info;
  memset(&info, 0, sizeof info);
  show("waitid WNOWAIT", await(P_PIDFD_, fd, &info, WEXITED | WNOWAIT));
  printf("pid %d code %d status %d\n", info.si_pid == pid, info.si_code, info.si_status);
  show("waitid", await(P_PIDFD_, fd, &info, WEXITED));
  printf("pid %d code %d status %d signo %d\n", info.si_pid == pid, info.si_code, info.si_status, info.si_signo);
  polled("reaped", fd), polled("reaped thread", thread);
  show("waitid again", await(P_PIDFD_, fd, &info, WEXITED));
  show("signal", send(fd, SIGTERM, NULL, 0));
  show("signal 0", send(fd, 0, NULL, 0));
  show("bad signal", send(fd, 65, NULL, 0));
  show("getfd", getfd(fd, 0, 0));
  show("open again", open_pid(pid, 0));
  char path[64], text[256];
  snprintf(path, 64, "/proc/self/fdinfo/%d", fd);
  int f = open(path, O_RDONLY), n = read(f, text, 255);
  text[n < 0 ? 0 : n] = 0;
  close(f);
  printf("fdinfo%s", strstr(text, "\nPid:") ? strstr(text, "\nPid:") : " -\n");
  close(fd), close(thread), close(ep);
}

static void waiting(void) {
  puts("-- waiting");
  siginfo_t info;
  int end, pid = fork_waiting(&end), fd = open_pid(pid, NONBLOCK), blocking = open_pid(pid, 0);
  show("nonblock", await(P_PIDFD_, fd, &info, WEXITED));
  memset(&info, 1, sizeof info);
  show("nonblock WNOHANG", await(P_PIDFD_, fd, &info, WEXITED | WNOHANG));
  printf("pid %d signo %d\n", info.si_pid, info.si_signo);
  show("blocking WNOHANG", await(P_PIDFD_, blocking, &info, WEXITED | WNOHANG));
  show("no such fd", await(P_PIDFD_, 99, &info, WEXITED));
  show("negative fd", await(P_PIDFD_, -1, &info, WEXITED));
  show("no pidfd", await(P_PIDFD_, end, &info, WEXITED));
  show("no option", await(P_PIDFD_, fd, &info, 0));
  int own = open_pid(getpid(), 0);
  show("not a child", await(P_PIDFD_, own, &info, WEXITED | WNOHANG));
  show("type 4", await(4, fd, &info, WEXITED));
  int stopped = kill(pid, SIGSTOP);
  show("stopped", await(P_PIDFD_, blocking, &info, WSTOPPED));
  printf("code %d status %d\n", info.si_code, info.si_status);
  polled("stopped", fd);
  send(fd, SIGCONT, NULL, 0);
  show("continued", await(P_PIDFD_, blocking, &info, WCONTINUED));
  printf("code %d status %d\n", info.si_code, info.si_status);
  let_go(end, 9);
  show("blocking", await(P_PIDFD_, blocking, &info, WEXITED));
  printf("code %d status %d\n", info.si_code, info.si_status);
  show("nonblock, reaped", await(P_PIDFD_, fd, &info, WEXITED));
  close(fd), close(blocking), close(own);
  (void)stopped;
}

static volatile sig_atomic_t hits, code, value, sender;
static void note(int sig, siginfo_t *info, void *context) {
  hits++, code = info->si_code, value = info->si_value.sival_int, sender = info->si_pid;
}
static void signals(void) {
  puts("-- signals");
  struct sigaction a = {.sa_sigaction = note, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &a, NULL);
  int me = getpid(), fd = open_pid(me, 0), thread = open_pid(me, THREAD);
  static const unsigned flags[] = {0, 1, 2, 4};
  for (int i = 0; i < 4; i++) {
    hits = 0;
    long r = i == 3 ? -2 : send(fd, SIGUSR1, NULL, flags[i]);
    if (r != -2) printf("flags %u: %ld hits %d code %d from me %d\n", flags[i], r, hits, code, sender == me);
  }
  hits = 0;
  show("thread's", send(thread, SIGUSR1, NULL, 0));
  printf("hits %d code %d\n", hits, code);
  show("group of one that leads none", send(fd, 0, NULL, 4));
  show("flags 3", send(fd, 0, NULL, 3));
  show("flags 8", send(fd, 0, NULL, 8));
  show("flags before fd", send(-1, 0, NULL, 8));
  show("bad fd", send(-1, 0, NULL, 0));
  show("no pidfd", send(0, 0, NULL, 0));
  show("signal 65", send(fd, 65, NULL, 0));
  show("signal -1", send(fd, -1, NULL, 0));
  int self = open("/proc/self", O_DIRECTORY | O_RDONLY), path = open("/proc/self", O_PATH), task = open("/proc/thread-self", O_DIRECTORY | O_RDONLY);
  int proc = open("/proc", O_DIRECTORY | O_RDONLY), file = open("/proc/self/stat", O_RDONLY);
  hits = 0;
  show("/proc/self", send(self, SIGUSR1, NULL, 0));
  printf("hits %d code %d\n", hits, code);
  show("/proc/self, O_PATH", send(path, SIGUSR1, NULL, 0));
  show("/proc", send(proc, SIGUSR1, NULL, 0));
  show("/proc/self/stat", send(file, SIGUSR1, NULL, 0));
  show("/proc/thread-self", send(task, 0, NULL, 0));
  show("waitid of /proc/self", await(P_PIDFD_, self, NULL, WEXITED));
  show("getfd of /proc/self", getfd(self, 0, 0));
  siginfo_t info = {.si_signo = SIGUSR1, .si_code = SI_QUEUE};
  info.si_value.sival_int = 1234;
  hits = 0;
  show("with info", send(fd, SIGUSR1, &info, 0));
  printf("hits %d code %d value %d\n", hits, code, value);
  show("other signal than the info's", send(fd, SIGUSR2, &info, 0));
  show("info nowhere", send(fd, SIGUSR1, (void *)8, 0));
  show("bad fd, info nowhere", send(-1, SIGUSR1, (void *)8, 0));
  info.si_code = SI_USER;
  hits = 0;
  show("from the kernel, to itself", send(fd, SIGUSR1, &info, 0));
  printf("hits %d code %d\n", hits, code);
  int end, pid = fork_waiting(&end), child = open_pid(pid, 0);
  show("from the kernel, to another", send(child, SIGUSR1, &info, 0));
  info.si_code = SI_TKILL;
  show("as tkill, to another", send(child, SIGUSR1, &info, 0));
  info.si_code = SI_QUEUE;
  show("to a group that nobody leads", send(child, SIGUSR2, NULL, 4));
  show("kill the child", send(child, SIGKILL, NULL, 0));
  show("waitid", await(P_PIDFD_, child, &info, WEXITED));
  printf("code %d status %d\n", info.si_code, info.si_status);
  close(end);
  pid = fork_waiting(&end), child = open_pid(pid, 0);
  setpgid(pid, pid);
  show("to its group", send(child, SIGTERM, NULL, 4));
  show("waitid", await(P_PIDFD_, child, &info, WEXITED));
  printf("code %d status %d\n", info.si_code, info.si_status);
  close(end);
  pid = fork_waiting(&end), child = open_pid(pid, 0);
  fflush(stdout);
  if (fork() == 0) {
    setresuid(1000, 1000, 1000);
    show("as another user", send(child, SIGTERM, NULL, 0));
    show("signal 0 as another user", send(child, 0, NULL, 0));
    show("getfd as another user", getfd(child, 0, 0));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  let_go(end, 0), wait(NULL);
}

static void files(void) {
  puts("-- files");
  int end, pid = fork_waiting(&end), fd = open_pid(pid, 0);
  int own = open_pid(getpid(), 0), p[2];
  pipe(p);
  int copy = getfd(own, p[0], 0);
  printf("copy: new number %d, close-on-exec %d\n", copy >= 0 && copy != p[0], fcntl(copy, F_GETFD));
  write(p[1], "x", 1);
  char c = 0;
  show("read through it", read(copy, &c, 1));
  printf("%c same description %d\n", c, fcntl(copy, F_SETFL, NONBLOCK) == 0 && (fcntl(p[0], F_GETFL) & NONBLOCK) != 0);
  int theirs = getfd(fd, 1, 0);
  show("child's stdout", theirs >= 0);
  show("flags", getfd(fd, 1, 1));
  show("flags before fd", getfd(-1, 1, 1));
  show("bad fd", getfd(-1, 1, 0));
  show("no pidfd", getfd(p[0], 1, 0));
  show("not open there", getfd(fd, 77, 0));
  show("negative there", getfd(fd, -1, 0));
  int place = open("/", O_PATH);
  copy = getfd(own, place, 0);
  printf("O_PATH: %x\n", copy < 0 ? errno : fcntl(copy, F_GETFL) & O_PATH);
  let_go(end, 0), wait(NULL);
}

struct args { uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls, set_tid, set_tid_size, cgroup; };
static long clone3_(struct args *a) { return syscall(435, a, sizeof *a); }
static long clone_(unsigned long flags, void *parent) { return syscall(SYS_clone, flags, 0L, parent, 0L, 0L); }

static void cloning(void) {
  puts("-- cloning");
  int fd = -1;
  siginfo_t info;
  long pid = clone_(CLONE_PIDFD_ | SIGCHLD, &fd);
  if (pid == 0) _exit(3);
  printf("clone: fd %d flags %x %x\n", fd >= 0, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, -1);
  show("waitid", await(P_PIDFD_, fd, &info, WEXITED));
  printf("status %d child %d\n", info.si_status, info.si_pid == pid);
  close(fd);
  int word = -7;
  struct args a = {.flags = CLONE_PIDFD_, .pidfd = (uint64_t)&fd, .exit_signal = SIGCHLD, .parent_tid = (uint64_t)&word};
  pid = clone3_(&a);
  if (pid == 0) _exit(4);
  printf("clone3: fd %d word %d\n", fd >= 0, word);
  show("waitid", await(P_PIDFD_, fd, &info, WEXITED));
  printf("status %d child %d\n", info.si_status, info.si_pid == pid);
  close(fd);
  show("clone with CLONE_PARENT_SETTID", clone_(CLONE_PIDFD_ | 0x100000 | SIGCHLD, &fd));
  show("clone with CLONE_DETACHED", clone_(CLONE_PIDFD_ | 0x400000 | SIGCHLD, &fd));
  show("clone, nowhere", clone_(CLONE_PIDFD_ | SIGCHLD, (void *)8));
  a.pidfd = 8;
  show("clone3, nowhere", clone3_(&a));
  a.pidfd = (uint64_t)&fd, a.flags = CLONE_PIDFD_ | CLONE_PARENT_SETTID, a.parent_tid = (uint64_t)&fd;
  show("clone3, both in one word", clone3_(&a));
  a.parent_tid = (uint64_t)&word;
  pid = clone3_(&a);
  if (pid == 0) _exit(6);
  printf("clone3 with both: fd %d number %d\n", fd >= 0, word == pid);
  show("waitid", await(P_PIDFD_, fd, &info, WEXITED));
  close(fd);
  show("nobody left", await(P_ALL, 0, &info, WEXITED));
  int before = dup(1);
  printf("no file is left of what failed: %d\n", before - fd);
}

static void *in_thread(void *fds) {
  int *f = fds;
  f[1] = open_pid(gettid(), 0), f[2] = f[1] < 0 ? errno : 0;
  f[3] = open_pid(gettid(), THREAD), f[4] = f[3] < 0 ? errno : 0;
  f[5] = syscall(SYS_gettid);
  char c;
  read(f[0], &c, 1);
  return NULL;
}
static void threads(void) {
  puts("-- threads");
  int p[2], fds[8] = {0};
  pthread_t thread;
  pipe(p);
  fds[0] = p[0];
  pthread_create(&thread, NULL, in_thread, fds);
  while (*(volatile int *)&fds[5] == 0) sched_yield();
  printf("thread as process: %s; as thread: %s\n", fds[1] < 0 ? errno_name(fds[2]) : "open", fds[3] < 0 ? errno_name(fds[4]) : "open");
  polled("thread alive", fds[3]);
  show("waitid of a thread", await(P_PIDFD_, fds[3], NULL, WEXITED | WNOHANG));
  show("getfd of a thread", getfd(fds[3], 99, 0));
  hits = 0;
  show("signal to a thread", send(fds[3], 0, NULL, 0));
  show("process signal by a thread's", send(fds[3], 0, NULL, 2));
  write(p[1], "x", 1);
  struct pollfd q = {fds[3], POLLIN, 0};
  poll(&q, 1, -1);
  printf("thread over: %x\n", q.revents & POLLIN);
  pthread_join(thread, NULL);
  for (int i = 0; i < 1000 && send(fds[3], 0, NULL, 0) == 0; i++) sched_yield();
  polled("thread gone", fds[3]);
  show("signal to what was a thread", send(fds[3], 0, NULL, 0));
  show("and to its process", send(fds[3], 0, NULL, 2));
}

static void *exec_thread(void *unused) { return pause(), NULL; }
static void leaders(void) {
  puts("-- a first thread that ends before the others");
  int p[2];
  pipe(p);
  int pid = fork();
  if (pid == 0) {
    pthread_t other;
    int r = pthread_create(&other, NULL, exec_thread, NULL);
    write(p[1], "x", 1);
    syscall(SYS_exit, r != 0);
  }
  char c;
  read(p[0], &c, 1);
  int fd = open_pid(pid, 0), thread = open_pid(pid, THREAD);
  usleep(50000);
  struct pollfd q = {fd, POLLIN, 0};
  polled("first thread", thread), polled("process", fd);
  show("signal to the first thread", send(thread, 0, NULL, 0));
  show("kill", send(fd, SIGKILL, NULL, 0));
  poll(&q, 1, -1);
  printf("process: %x\n", q.revents);
  show("waitid", await(P_PIDFD_, fd, NULL, WEXITED));
  polled("process reaped", fd), polled("thread reaped", thread);
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  opening(), fflush(stdout);
  ends(), fflush(stdout);
  waiting(), fflush(stdout);
  signals(), fflush(stdout);
  files(), fflush(stdout);
  cloning(), fflush(stdout);
  threads(), fflush(stdout);
  leaders(), fflush(stdout);
  return 0;
}
