/* userfaultfd(2): flags, rights, /dev/userfaultfd, UFFDIO_API, reading, polling, closing, and who is told of which fault. */
#include "userfault.h"
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>

static struct message m, ms[4];

/* --- threads that touch a page --- */
struct toucher { pthread_t thread; volatile char *at; int write; volatile int done; volatile char seen; volatile int tid; };
static void *touch_it(void *arg) {
  struct toucher *t = arg;
  t->tid = syscall(SYS_gettid);
  if (t->write) *t->at = 'w', t->seen = 'w'; else t->seen = *t->at;
  t->done = 1;
  return NULL;
}
static void start(struct toucher *t, void *at, int write) {
  memset(t, 0, sizeof *t);
  t->at = at, t->write = write;
  pthread_create(&t->thread, NULL, touch_it, t);
}
static void finish(const char *what, struct toucher *t) {
  pthread_join(t->thread, NULL);
  if (t->seen >= 'a') printf("%s: saw %c\n", what, t->seen);
  else printf("%s: saw %d\n", what, t->seen);
}

static void apis(void) {
  struct api a;
  for (int bit = 0; bit < 33; bit++) {
    int fd = sys_userfaultfd(0);
    a = (struct api){0xAA, 1UL << bit, 7};
    int r = ioctl(fd, IO_API, &a);
    printf("feature %d: %s features %lx ioctls %lx\n", bit, r ? errno_name(errno) : "0", a.features, a.ioctls);
    close(fd);
  }
  int fd = sys_userfaultfd(0);
  a = (struct api){0xAB, 0, 7};
  is("another version", ioctl(fd, IO_API, &a));
  printf("cleared: %lx %lx %lx\n", a.api, a.features, a.ioctls);
  is("nowhere", ioctl(fd, IO_API, (void *)8));
  struct reg r = {span(BASE, 1), MISSING, 0};
  is("register before UFFDIO_API", ioctl(fd, IO_REGISTER, &r));
  is("unknown before", ioctl(fd, 0xaa77, &r));
  is("read before", read(fd, &m, sizeof m));
  struct pollfd p = {fd, POLLIN, 0};
  is("poll before", poll(&p, 1, 0)), printf("%x\n", p.revents);
  a = (struct api){0xAA, 0, 0};
  is("now", ioctl(fd, IO_API, &a));
  a = (struct api){0xAA, 0, 0};
  is("a second time", ioctl(fd, IO_API, &a));
  printf("cleared: %lx %lx %lx\n", a.api, a.features, a.ioctls);
  is("unknown after", ioctl(fd, 0xaa77, &r));
  is("a terminal's", ioctl(fd, 0x5401, &r));
  int n = 5;
  is("FIONREAD", ioctl(fd, 0x541B, &n));
  is("poll of one that waits", poll(&p, 1, 0)), printf("%x\n", p.revents);
  int read_only = open("/dev/zero", O_RDWR);
  void *page = mmap(BASE, PG, RW, MAP_PRIVATE | MAP_FIXED, read_only, 0);
  at("anonymous of /dev/zero", page);
  close(fd), close(read_only), clear(1);
}

static void opening(void) {
  for (int bit = 0; bit < 32; bit++) {
    long fd = sys_userfaultfd(1 << bit);
    if (fd < 0) { printf("flag %d: %s\n", bit, errno_name(errno)); continue; }
    printf("flag %d: fl %x fd %x\n", bit, fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
    close(fd);
  }
  int fd = sys_userfaultfd(O_NONBLOCK | O_CLOEXEC);
  char path[64], name[64] = "";
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  readlink(path, name, sizeof name - 1);
  puts(name);
  struct stat st;
  fstat(fd, &st);
  printf("mode %o size %ld\n", st.st_mode, (long)st.st_size);
  is("write", write(fd, &m, sizeof m));
  is("lseek", lseek(fd, 5, SEEK_SET));
  is("pread", pread(fd, &m, sizeof m, 0));
  is("mmap", mmap(NULL, PG, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED ? -1 : 0);
  is("ftruncate", ftruncate(fd, 0));
  is("fsync", fsync(fd));
  close(fd);
  struct stat dev;
  is("stat /dev/userfaultfd", stat("/dev/userfaultfd", &dev));
  printf("%o %u:%s\n", dev.st_mode, major(dev.st_rdev), minor(dev.st_rdev) > 0 ? "some" : "none");
  int d = open("/dev/userfaultfd", O_RDWR);
  is("other request", ioctl(d, 0xaa01, 0));
  is("bad flags", ioctl(d, IO_NEW, 2));
  is("new", (fd = ioctl(d, IO_NEW, O_CLOEXEC | O_NONBLOCK)) > d ? 0 : -1);
  printf("fl %x fd %x\n", fcntl(fd, F_GETFL), fcntl(fd, F_GETFD));
  struct api a = {0xAA, 0, 0};
  is("api of it", ioctl(fd, IO_API, &a));
  is("read of the device", read(d, &m, sizeof m));
  is("write to it", write(d, &m, sizeof m));
  is("lseek", lseek(d, 3, SEEK_SET));
  close(d), close(fd);
  printf("unprivileged_userfaultfd %s", text_of("/proc/sys/vm/unprivileged_userfaultfd"));
  is("2", put("/proc/sys/vm/unprivileged_userfaultfd", "2"));
  struct rlimit { unsigned long soft, hard; } limit = {8, 1024}, old;
  syscall(261, 0, 7, NULL, &old);
  syscall(261, 0, 7, &limit, NULL);
  while (dup(0) >= 0) ;
  is("no number left", sys_userfaultfd(0));
  for (int i = 3; i < 8; i++) close(i);
  syscall(261, 0, 7, &old, NULL);
}

static void unprivileged(void) {
  setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
  is("by others", sys_userfaultfd(0));
  is("by others, bad flags", sys_userfaultfd(2));
  int fd = sys_userfaultfd(UFFD_USER_MODE_ONLY | O_NONBLOCK);
  is("for user mode", fd >= 0 ? 0 : -1);
  struct api a = {0xAA, EVENT_FORK, 0};
  is("forks are root's", ioctl(fd, IO_API, &a));
  a = (struct api){0xAA, EVENT_REMAP, 0};
  is("others not", ioctl(fd, IO_API, &a));
  uffd = fd;
  map(0, 2, RW, PRIV);
  is("register", register_at(BASE, 2, MISSING));
  is("the kernel's access", read(open("/dev/zero", O_RDONLY), BASE, 10));
  struct toucher t;
  start(&t, BASE, 0);
  next("the program's", &m);
  is("copy", copy_to(BASE, source, 1, 0));
  finish("it", &t);
  is("the device", open("/dev/userfaultfd", O_RDWR));
}
static void allowed(void) {
  is("1", put("/proc/sys/vm/unprivileged_userfaultfd", "1"));
  setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
  is("by others, allowed", sys_userfaultfd(0) >= 0 ? 0 : -1);
}

static void reading(void) {
  uffd = open_uffd(O_NONBLOCK, 0);
  map(0, 8, RW, PRIV);
  is("register", register_at(BASE, 8, MISSING));
  is("nothing to read", read(uffd, &m, sizeof m));
  is("31 bytes", read(uffd, &m, 31));
  is("0 bytes", read(uffd, &m, 0));
  struct pollfd p = {uffd, POLLIN | POLLOUT, 0};
  is("poll", poll(&p, 1, 0));
  struct toucher a, b, c;
  start(&a, AT(0) + 100, 0);
  p.events = POLLIN;
  is("poll", poll(&p, 1, 10000)), printf("%x\n", p.revents);
  start(&b, AT(1), 1);
  until(2);
  start(&c, AT(0) + 8, 1);
  until(3);
  char *info = text_of("/proc/self/fdinfo/3");
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", uffd);
  info = strstr(text_of(path), "pending");
  printf("%s", info ? info : "none\n");
  int r = read(uffd, ms, 70);
  is("two and a bit", r);
  show("first", &ms[0]), show("second", &ms[1]);
  printf("%s", strstr(text_of(path), "pending"));
  next("third", &m);
  is("no more", read(uffd, &m, sizeof m));
  is("poll", poll(&p, 1, 0));
  is("zero, no waking", fill_at(IO_ZEROPAGE, AT(0), 1, DONTWAKE));
  usleep(20000);
  printf("done %d %d\n", a.done, c.done);
  is("wake another page", wake_at(AT(1), 7));
  usleep(20000);
  next("comes again", &m);
  printf("done %d %d\n", a.done, c.done);
  is("wake", wake_at(AT(0), 1));
  finish("reader", &a), finish("writer", &c);
  is("copy", copy_to(AT(1), source, 1, 0));
  finish("writer", &b);
  printf("stored %c, then %c\n", *AT(1), AT(1)[1]);
  start(&a, AT(2), 0);
  struct iovec v[2] = {{&ms[0], 20}, {&ms[1], 12}};
  poll(&p, 1, 10000);
  is("readv in pieces", readv(uffd, v, 2));
  memcpy((char *)ms + 20, &ms[1], 12);
  show("it", &ms[0]);
  is("unregister wakes", unregister_at(AT(2), 1));
  finish("zeroes", &a);
  start(&a, AT(3), 1);
  poll(&p, 1, 10000);
  is("read to nowhere", read(uffd, (void *)8, 32));
  is("is lost", read(uffd, &m, sizeof m));
  is("copy", copy_to(AT(3), source + PG, 1, 0));
  finish("writer", &a);
  is("close", close(uffd));
  start(&a, AT(4), 0);
  finish("after closing", &a);
  maps("and mappings are joined", 8);
  clear(8);
}

static volatile char woken;
static void *blocking_reader(void *arg) {
  int fd = *(int *)arg;
  int r = read(fd, ms, sizeof ms);
  printf("blocking read: %d bytes\n", r);
  show("its message", &ms[0]);
  copy_to((void *)(ms[0].fault.address & -PG), source + 2 * PG, 1, 0);
  woken = 1;
  return NULL;
}
static void blocking(void) {
  uffd = open_uffd(0, 0);
  map(0, 4, RW, PRIV);
  register_at(BASE, 4, MISSING);
  pthread_t reader;
  pthread_create(&reader, NULL, blocking_reader, &uffd);
  usleep(20000);
  printf("reads %c\n", *(volatile char *)AT(1));
  pthread_join(reader, NULL);
  struct toucher t;
  start(&t, AT(2), 0);
  until(1);
  int e = epoll_create1(0);
  struct epoll_event ev = {.events = EPOLLIN, .data.u32 = 5};
  is("epoll", epoll_ctl(e, EPOLL_CTL_ADD, uffd, &ev));
  is("of one that waits", epoll_wait(e, &ev, 1, 0)), printf("%x\n", ev.events);
  fcntl(uffd, F_SETFL, O_NONBLOCK);
  is("not waiting", epoll_wait(e, &ev, 1, 0)), printf("%x\n", ev.events);
  is("close wakes", close(uffd));
  finish("zero", &t);
  close(e), clear(4);
}

/* --- signals, sigbus, exact addresses, thread numbers --- */
static volatile int handled;
static void on_usr1(int sig) { (void)sig; handled++; }
static void features(void) {
  struct toucher t;
  uffd = open_uffd(O_NONBLOCK, EXACT_ADDRESS | THREAD_ID);
  map(0, 4, RW, PRIV);
  register_at(BASE, 4, MISSING);
  start(&t, AT(1) + 1234, 1);
  next("exact", &m);
  printf("its thread: %s\n", (int)m.fault.thread == t.tid ? "yes" : "no");
  signal(SIGUSR1, on_usr1);
  pthread_kill(t.thread, SIGUSR1);
  next("again after a signal", &m);
  printf("handled %d\n", handled);
  copy_to(AT(1), source, 1, 0);
  finish("writer", &t);
  close(uffd), clear(4);
  uffd = open_uffd(O_NONBLOCK, SIGBUS_INSTEAD);
  map(0, 4, RW, PRIV);
  register_at(BASE, 4, MISSING);
  printf("touch: %s\n", touch(AT(0), 0));
  printf("store: %s\n", touch(AT(1), 1));
  is("a call", read(open("/dev/zero", O_RDONLY), AT(2), 10));
  is("nothing to read", read(uffd, &m, sizeof m));
  copy_to(AT(0), source, 1, 0);
  printf("touch: %s %c\n", touch(AT(0), 0), *AT(0));
  is("populate", madvise(AT(3), PG, 22 /* MADV_POPULATE_READ */));
  is("mlock", mlock(AT(3), PG));
  close(uffd), clear(4);
}

/* --- calls that touch missing pages --- */
static void *server(void *arg) {
  long pages = (long)arg;
  for (; pages > 0; pages--) {
    struct message got;
    if (next_of(uffd, &got) != sizeof got) { puts("server: nothing"); break; }
    show("server", &got);
    void *at = (void *)(got.fault.address & -PG);
    copy_to(at, source + PG * ((got.fault.address / PG) % 8), 1, 0);
  }
  return NULL;
}
static pthread_t serve(long pages) {
  pthread_t t;
  fflush(stdout);
  pthread_create(&t, NULL, server, (void *)pages);
  return t;
}
static void fresh(void) {
  if (uffd >= 0) close(uffd);
  clear(16), map(0, 16, RW, PRIV);
  uffd = open_uffd(O_NONBLOCK, 0);
  register_at(BASE, 16, MISSING);
}
static void calls(void) {
  pthread_t t;
  int pipes[2], fd = open("/tmp/userfault", O_RDWR | O_CREAT | O_TRUNC, 0600);
  pipe(pipes);
  fresh();
  t = serve(3);
  is("write of three pages to a file", write(fd, AT(0) + 10, 3 * PG - 20));
  pthread_join(t, NULL);
  char back[3] = "";
  pread(fd, back, 1, 0), pread(fd, back + 1, 1, 2 * PG);
  printf("in the file %s, position %ld\n", back, (long)lseek(fd, 0, SEEK_CUR));
  t = serve(2);
  is("write to a pipe", write(pipes[1], AT(4) + PG - 5, 10));
  pthread_join(t, NULL);
  char bytes[11] = "";
  is("read back", read(pipes[0], bytes, 10)), puts(bytes);
  t = serve(2);
  write(pipes[1], "0123456789", 10);
  is("read from a pipe", read(pipes[0], AT(6) + PG - 5, 10));
  pthread_join(t, NULL);
  printf("%.10s, before it %c\n", AT(6) + PG - 5, AT(6)[0]);
  t = serve(1);
  is("read of a file", pread(fd, AT(8), 100, 0));
  pthread_join(t, NULL);
  t = serve(1);
  is("stat", fstatat(AT_FDCWD, "/tmp", (void *)AT(9), 0));
  pthread_join(t, NULL);
  t = serve(1);
  is("getcwd", syscall(SYS_getcwd, AT(10), PG) > 0 ? 0 : -1);
  pthread_join(t, NULL);
  t = serve(1);
  is("open of a path there", open((char *)AT(11), O_RDONLY));
  pthread_join(t, NULL);
  fresh();
  t = serve(2);
  is("mlock", mlock(AT(0), 2 * PG));
  pthread_join(t, NULL);
  t = serve(2);
  is("populate", madvise(AT(2), 2 * PG, 23 /* MADV_POPULATE_WRITE */));
  pthread_join(t, NULL);
  t = serve(1);
  is("futex", syscall(SYS_futex, AT(4), 0, 0, NULL, NULL, 0));
  pthread_join(t, NULL);
  int how = 0;
  pid_t child = fork();
  if (child == 0) _exit(3);
  t = serve(1);
  is("wait4", wait4(child, (void *)AT(5), 0, NULL) == child ? 0 : -1);
  pthread_join(t, NULL);
  how = *(int *)AT(5);
  printf("status %d\n", WEXITSTATUS(how));
  t = serve(1);
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2);
  *(sigset_t *)source = set;
  is("sigprocmask", syscall(SYS_rt_sigprocmask, SIG_BLOCK, &set, AT(6), 8));
  pthread_join(t, NULL);
  printf("was blocked: %d\n", (int)*(long *)AT(6));
  t = serve(2);
  struct iovec from = {AT(7), 2 * PG}, to = {source, 2 * PG};
  is("process_vm_readv", syscall(SYS_process_vm_readv, getpid(), &to, 1, &from, 1, 0));
  pthread_join(t, NULL);
  close(uffd), uffd = -1, close(fd), close(pipes[0]), close(pipes[1]);
  clear(16);
}

/* --- pages that the object has, and that are not mapped --- */
static void minors(void) {
  struct toucher t;
  int mem = syscall(SYS_memfd_create, "m", 0), pipes[2];
  ftruncate(mem, 8 * PG), pipe(pipes);
  char *alias = mmap(NULL, 8 * PG, RW, MAP_SHARED, mem, 0);
  for (int i = 0; i < 4; i++) alias[i * PG] = 'A' + i;
  for (int private = 0; private < 2; private++) {
    uffd = open_uffd(O_NONBLOCK, 0);
    mmap(BASE, 8 * PG, RW, (private ? MAP_PRIVATE : MAP_SHARED) | MAP_FIXED, mem, 0);
    is("register", register_at(BASE, 8, private ? MINOR | MISSING : MINOR));
    start(&t, AT(0), 0), next("load", &m), is("wake alone", wake_at(AT(0), 1)), next("again", &m);
    is("continue", fill_at(IO_CONTINUE, AT(0), 1, 0)), finish("load", &t);
    start(&t, AT(1), 1), next("store", &m);
    is("continue", fill_at(IO_CONTINUE, AT(1), 1, 0)), finish("store", &t);
    printf("the object has %c, the mapping %c\n", alias[PG], *AT(1));
    write(pipes[1], "xyz", 3);
    start(&t, AT(2), 0), next("load", &m), alias[2 * PG] = 'c';
    is("continue", fill_at(IO_CONTINUE, AT(2), 1, DONTWAKE)), is("wake", wake_at(AT(2), 1)), finish("load", &t);
    if (!private) printf("a hole: %s, now the object has %s\n", touch(AT(6), 0), alias[6 * PG] ? "more" : "it");
    else start(&t, AT(7), 1), next("a hole", &m), copy_to(AT(7), source, 1, 0), finish("store", &t);
    printf("beyond %s\n", ftruncate(mem, 5 * PG) ? "?" : touch(AT(5), 0)), ftruncate(mem, 8 * PG);
    close(uffd), clear(8);
    read(pipes[0], alias + 3 * PG, 3);
  }
  uffd = open_uffd(O_NONBLOCK, 0);
  mmap(BASE, 8 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0);
  register_at(BASE, 8, MISSING);
  printf("around: %c", *AT(0));
  unsigned long entries[8], mapped = 0;
  int map = open("/proc/self/pagemap", O_RDONLY);
  pread(map, entries, sizeof entries, (uintptr_t)BASE / PG * 8);
  for (int i = 0; i < 8; i++) mapped += entries[i] >> 63;
  printf(", %lu mapped\n", mapped);
  close(map), close(uffd), clear(8);
  uffd = open_uffd(O_NONBLOCK, 0);
  mmap(BASE, 8 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0);
  register_at(AT(0), 4, MINOR);
  start(&t, AT(0), 0), next("load", &m), is("unregister leaves it", unregister_at(AT(0), 4));
  printf("waits: %s\n", t.done ? "no" : "yes"), is("wake", wake_at(AT(0), 1)), finish("load", &t);
  close(uffd), clear(8), munmap(alias, 8 * PG), close(mem), close(pipes[0]), close(pipes[1]);
}

int main(void) {
  begin();
  apis();
  opening();
  in_child(unprivileged);
  in_child(allowed);
  reading();
  blocking();
  features();
  calls();
  minors();
  put("/proc/sys/vm/unprivileged_userfaultfd", "0");
  return 0;
}
