/* mq_open(2), mq_unlink(2), mq_timedsend(2), mq_timedreceive(2), mq_notify(2) and mq_getsetattr(2): every error in its order, limits,
 * priorities, waits and what ends them, notification, poll, fork and exec. */
#include "call.h"
#include <mqueue.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/time.h>
#include <time.h>

#define BAD ((void *)8)
#define NAME "call_mqueue"
#define R O_RDONLY
#define W O_WRONLY
#define N O_NONBLOCK
#define C O_CREAT

static long mopen(const char *name, int flags, mode_t mode, const void *attr) {
  return syscall(SYS_mq_open, name, flags, mode, attr);
}
static long munlink(const char *name) { return syscall(SYS_mq_unlink, name); }
static long msend(int q, const void *text, size_t n, unsigned priority, const void *timeout) {
  return syscall(SYS_mq_timedsend, q, text, n, priority, timeout);
}
static long mreceive(int q, void *text, size_t n, unsigned *priority, const void *timeout) {
  return syscall(SYS_mq_timedreceive, q, text, n, priority, timeout);
}
static long mnotify(int q, const void *event) { return syscall(SYS_mq_notify, q, event); }
static long mattr(int q, const void *set, void *old) { return syscall(SYS_mq_getsetattr, q, set, old); }

static struct mq_attr size_of(long messages, long bytes) {
  return (struct mq_attr){.mq_maxmsg = messages, .mq_msgsize = bytes};
}
/* A queue of that size without a name. */
static int make(int flags, long messages, long bytes) {
  struct mq_attr a = size_of(messages, bytes);
  int q = mopen(NAME, flags | C | O_EXCL, 0600, &a);
  if (q < 0) is("make", q);
  munlink(NAME);
  return q;
}
static void opened(const char *what, long q) {
  if (q < 0) { is(what, -1); return; }
  printf("%s: flags %o, fd flags %d\n", what, fcntl(q, F_GETFL), fcntl(q, F_GETFD));
  close(q);
}
static void shown(const char *what, int q) {
  struct mq_attr a = {0};
  long r = mattr(q, NULL, &a);
  if (r) is(what, r);
  else printf("%s: flags %lo, %ld messages of %ld, %ld there\n", what, a.mq_flags, a.mq_maxmsg, a.mq_msgsize, a.mq_curmsgs);
}
static char buffer[1 << 17];
static void got(const char *what, int q) {
  unsigned priority = 77;
  long r = mreceive(q, buffer, sizeof buffer, &priority, NULL);
  if (r < 0) is(what, r);
  else printf("%s: %ld bytes \"%.8s\" priority %u\n", what, r, r ? buffer : "", priority);
  memset(buffer, 0, 16);
}
static struct timespec after(long ms) {
  struct timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  t.tv_nsec += ms * 1000000;
  t.tv_sec += t.tv_nsec / 1000000000;
  t.tv_nsec %= 1000000000;
  return t;
}
static void pause_ms(long ms) { struct timespec t = {ms / 1000, ms % 1000 * 1000000}; nanosleep(&t, NULL); }

static void opening(void) {
  puts("-- opening");
  char name[512];
  struct mq_attr a = size_of(2, 16), bad = size_of(0, 16);
  is("no address", mopen(BAD, C, 0600, NULL));
  is("no attributes there", mopen(BAD, C, 0600, BAD));
  is("empty name", mopen("", C, 0600, NULL));
  is("slash", mopen("/x", C, 0600, NULL));
  is("slash later", mopen("x/y", C, 0600, NULL));
  is("dot", mopen(".", C, 0600, NULL));
  is("dot dot", mopen("..", C, 0600, NULL));
  memset(name, 'n', sizeof name); name[256] = 0;
  is("256 characters", mopen(name, C, 0600, NULL));
  is("256 characters, unlink", munlink(name));
  name[255] = 0;
  opened("255 characters", mopen(name, C | O_RDWR, 0600, NULL));
  is("unlink", munlink(name));
  name[255] = name[256] = 'n'; name[300] = '/'; name[301] = 0;
  is("long with a slash", mopen(name, C, 0600, NULL));
  is("not there", mopen(NAME, O_RDWR, 0, NULL));
  is("not there, bad size", mopen(NAME, O_RDWR, 0, &bad));
  is("bad size", mopen(NAME, C | O_RDWR, 0600, &bad));
  opened("made", mopen(NAME, C | O_RDWR | N, 0640, &a));
  is("exclusive", mopen(NAME, C | O_EXCL, 0600, &bad));
  opened("exclusive alone", mopen(NAME, O_EXCL, 0600, &bad));
  opened("there already, bad size", mopen(NAME, C | R, 0600, &bad));
  opened("fourth access mode", mopen(NAME, 3, 0, NULL));
  opened("write, truncate, append", mopen(NAME, W | O_TRUNC | O_APPEND, 0, NULL));
  opened("close on exec", mopen(NAME, R | O_CLOEXEC | O_NOCTTY, 0, NULL));
  opened("folder", mopen(NAME, R | O_DIRECTORY | O_NOFOLLOW | O_SYNC, 0, NULL));
  opened("direct", mopen(NAME, R | O_DIRECT, 0, NULL));
  opened("path", mopen(NAME, R | O_PATH, 0, NULL));
  is("unlink", munlink(NAME));
  opened("new one direct", mopen(NAME, C | R | O_DIRECT, 0600, NULL));
  is("unlink what it left", munlink(NAME));
  opened("new one, fourth access mode", mopen(NAME, C | 3, 0600, NULL));
  is("unlink", munlink(NAME));
  is("unlink again", munlink(NAME));
  is("unlink nothing", munlink(""));
  is("unlink a slash", munlink("/x"));
  is("unlink a dot", munlink("."));
  is("unlink no address", munlink(BAD));
  int q = mopen(NAME, C | O_RDWR, 0600, NULL);
  struct rlimit files = {q, 4096}, before;
  getrlimit(RLIMIT_NOFILE, &before);
  setrlimit(RLIMIT_NOFILE, &files);
  is("no number left, not there", mopen("other", R, 0, NULL));
  is("no number left, a slash", mopen("/", R, 0, NULL));
  is("no number left, empty", mopen("", R, 0, NULL));
  setrlimit(RLIMIT_NOFILE, &before);
  close(q);
  is("unlink", munlink(NAME));
}

static void file(void) {
  puts("-- as a file");
  struct mq_attr a = size_of(4, 32);
  umask(022);
  int q = mopen(NAME, C | O_RDWR, 07666, &a), fd;
  struct stat s;
  struct statfs fs;
  char text[200] = "", path[64];
  is("fstat", fstat(q, &s));
  printf("mode %o links %d size %ld blocks %ld of %ld uid %d\n", s.st_mode, (int)s.st_nlink, (long)s.st_size, (long)s.st_blocks, (long)s.st_blksize, s.st_uid);
  is("fstatfs", fstatfs(q, &fs));
  printf("type %lx block %ld blocks %ld files %ld name %ld\n", (long)fs.f_type, (long)fs.f_bsize, (long)fs.f_blocks, (long)fs.f_files, (long)fs.f_namelen);
  msend(q, "four", 4, 1, NULL); msend(q, "sixsix", 6, 2, NULL);
  is("read", read(q, text, 10));
  is("read on", read(q, text + 10, 190));
  printf("%s", text);
  is("at the end", read(q, text, 10));
  is("seek", lseek(q, 0, SEEK_CUR));
  is("seek to the end", lseek(q, 0, SEEK_END));
  is("seek to data", lseek(q, 7, SEEK_DATA));
  is("seek to a hole", lseek(q, 7, SEEK_HOLE));
  is("seek to data beyond", lseek(q, 80, SEEK_DATA));
  memset(text, 0, sizeof text);
  is("pread", pread(q, text, 5, 2));
  puts(text);
  is("write", write(q, "x", 1));
  is("pwrite", pwrite(q, "x", 1, 0));
  at("mmap", mmap(NULL, PG, PROT_READ, MAP_SHARED, q, 0));
  is("fsync", fsync(q));
  is("fallocate", fallocate(q, 0, 0, 10));
  is("ftruncate", ftruncate(q, 1000));
  fstat(q, &s);
  printf("size %ld\n", (long)s.st_size);
  is("chmod", fchmod(q, 0400));
  fstat(q, &s);
  printf("mode %o\n", s.st_mode);
  snprintf(path, sizeof path, "/proc/self/fd/%d", q);
  memset(text, 0, sizeof text);
  is("link", readlink(path, text, sizeof text));
  puts(text);
  is("truncate", truncate(path, 70));
  fstat(q, &s);
  printf("size %ld\n", (long)s.st_size);
  fd = open(path, O_RDWR | O_TRUNC);
  fstat(fd, &s);
  printf("size %ld\n", (long)s.st_size);
  opened("opened again", dup(fd));
  is("and used", msend(fd, "abc", 3, 3, NULL));
  close(fd);
  shown("now", q);
  is("unlink", munlink(NAME));
  fstat(q, &s);
  printf("links %d\n", (int)s.st_nlink);
  memset(text, 0, sizeof text);
  readlink(path, text, sizeof text);
  puts(text);
  is("still sends", msend(q, "", 0, 0, NULL));
  got("urgent", q); got("then", q); got("then", q); got("last", q);
  close(q);
}

static void transfer(void) {
  puts("-- send and receive");
  int q = make(O_RDWR | N, 4, 8), r, w, other = open("/dev/null", O_RDWR);
  struct timespec past = {1, 0}, wrong = {0, 1000000000}, negative = {-1, 0};
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", q);
  r = open(path, O_RDONLY | N); w = open(path, O_WRONLY | N);
  is("timeout nowhere", msend(-1, BAD, 99, 99999, BAD));
  is("too many nanoseconds", msend(-1, BAD, 99, 99999, &wrong));
  is("negative", msend(-1, BAD, 99, 99999, &negative));
  is("priority", msend(-1, BAD, 99, 32768, NULL));
  is("no file", msend(-1, BAD, 99, 32767, &past));
  is("not a queue", msend(other, BAD, 99, 0, NULL));
  is("only to read", msend(r, BAD, 99, 0, NULL));
  is("too long", msend(w, BAD, 9, 0, NULL));
  is("far too long", msend(w, BAD, -1, 0, NULL));
  is("nowhere", msend(w, BAD, 8, 0, NULL));
  is("nothing from nowhere", msend(w, BAD, 0, 32767, NULL));
  is("receive: timeout nowhere", mreceive(-1, BAD, 0, BAD, BAD));
  is("too many nanoseconds", mreceive(-1, BAD, 0, BAD, &wrong));
  is("no file", mreceive(-1, BAD, 0, BAD, NULL));
  is("not a queue", mreceive(other, BAD, 0, BAD, NULL));
  is("only to write", mreceive(w, BAD, 0, BAD, NULL));
  is("too short", mreceive(r, BAD, 7, BAD, NULL));
  is("nothing to nowhere", mreceive(r, BAD, 8, NULL, NULL));
  is("empty", mreceive(r, buffer, 8, NULL, NULL));
  is("empty, in the past", mreceive(r, buffer, 8, NULL, &past));
  for (int i = 0; i < 4; i++) is("fill", msend(q, (char[]){'a' + i, '0', 0}, 3, i == 2 ? 9 : 5, NULL));
  is("full", msend(q, "z", 1, 31, NULL));
  is("full, nowhere", msend(q, BAD, 1, 31, NULL));
  shown("full", q);
  is("priority to nowhere", mreceive(q, buffer, 8, BAD, NULL));
  is("to nowhere", mreceive(q, BAD, 8, NULL, NULL));
  shown("two lost", q);
  got("third", q); got("fourth", q); got("none", q);
  unsigned order[] = {3, 32767, 0, 3};
  for (int i = 0; i < 4; i++) msend(q, (char[]){'a' + i, 0}, 2, order[i], NULL);
  for (int i = 0; i < 4; i++) got("in order", q);
  is("past a page's end", msend(q, map(0, 1, RW, PRIV) + PG - 4, 8, 0, NULL));
  is("before it", msend(q, AT(1) - 8, 8, 0, NULL));
  is("to a page's end", mreceive(q, AT(1) - 4, 8, NULL, NULL));
  clear(1);
  close(q); close(r); close(w); close(other);
  q = make(O_RDWR, 1, 100000);
  for (int i = 0; i < 100000; i++) buffer[i] = i * 7;
  is("a long one", msend(q, buffer, 100000, 0, NULL));
  memset(buffer, 0, sizeof buffer);
  is("back", mreceive(q, buffer, sizeof buffer, NULL, NULL));
  int same = 0;
  for (int i = 0; i < 100000; i++) same += buffer[i] == (char)(i * 7);
  printf("%d the same\n", same);
  memset(buffer, 0, sizeof buffer);
  is("in the past, room", msend(q, "x", 1, 0, &past));
  is("in the past, full", msend(q, "x", 1, 0, &past));
  is("in the past, a message", mreceive(q, buffer, sizeof buffer, NULL, &past));
  is("in the past, none", mreceive(q, buffer, sizeof buffer, NULL, &past));
  struct timespec soon = after(20);
  is("in a moment", mreceive(q, buffer, sizeof buffer, NULL, &soon));
  close(q);
}

static void attributes(void) {
  puts("-- attributes");
  int q = make(O_RDWR, 3, 64), again = dup(q);
  struct mq_attr a = {.mq_flags = N, .mq_maxmsg = 9, .mq_msgsize = 9}, wrong = {.mq_flags = N | 1}, old = {0};
  is("no file", mattr(-1, NULL, NULL));
  is("nowhere", mattr(-1, BAD, NULL));
  is("wrong flags", mattr(-1, &wrong, NULL));
  is("not a queue", mattr(1, NULL, NULL));
  is("nothing", mattr(q, NULL, NULL));
  is("set", mattr(q, &a, &old));
  printf("before: %lo %ld %ld %ld\n", old.mq_flags, old.mq_maxmsg, old.mq_msgsize, old.mq_curmsgs);
  shown("after", again);
  printf("F_GETFL %o\n", fcntl(again, F_GETFL));
  a.mq_flags = 0;
  is("set, old to nowhere", mattr(q, &a, BAD));
  shown("set all the same", q);
  fcntl(q, F_SETFL, O_NONBLOCK);
  shown("by fcntl", q);
  close(q); close(again);
}

static void sizes(void) {
  static const long asked[][2] = {{1, 1}, {10, 8192}, {11, 8192}, {10, 8193}, {-1, 8}, {8, -1}, {8, 0}, {65536, 1}, {65537, 1},
    {1, 1 << 24}, {1, (1 << 24) + 1}, {65536, 1 << 24}, {1L << 62, 1L << 62}, {8, 1L << 33}, {1L << 32 | 1, 8}};
  for (unsigned i = 0; i < sizeof asked / sizeof *asked; i++) {
    struct mq_attr a = size_of(asked[i][0], asked[i][1]);
    long q = mopen(NAME, C | O_RDWR, 0600, &a);
    printf("%ld of %ld: ", asked[i][0], asked[i][1]);
    if (q < 0) puts(errno_name(errno)); else puts("ok"), close(q), munlink(NAME);
  }
}
static void become(uid_t uid) { if (setresuid(uid, uid, uid)) puts("setresuid"); }
static int many(const struct mq_attr *a) {
  int n = 0;
  for (char name[32];; n++) {
    sprintf(name, "many%d", n);
    if (mopen(name, C | O_RDWR, 0600, a) < 0) break;
  }
  printf("%d, then %s\n", n, errno_name(errno));
  for (int i = 0; i < n; i++) { char name[32]; sprintf(name, "many%d", i); munlink(name); }
  for (int i = 3; i < 1000; i++) close(i);
  return n;
}
static void user_sizes(void) { become(1000); sizes(); }
static void user_many(void) { become(1001); struct mq_attr a = size_of(1, 1); many(NULL); many(&a); }
static void user_limit(void) {
  struct rlimit l = {82880, 82880};
  setrlimit(RLIMIT_MSGQUEUE, &l);
  become(1002);
  int q = mopen("limit", C | O_RDWR, 0600, NULL);
  struct mq_attr a = size_of(1, 1);
  is("one more", mopen("limit2", C | O_RDWR, 0600, &a));
  munlink("limit");
  is("while it is open", mopen("limit2", C | O_RDWR, 0600, &a));
  close(q);
  opened("once it is gone", mopen("limit2", C | O_RDWR, 0600, &a));
  munlink("limit2");
}
static void user_rights(void) {
  become(1003);
  is("others' to read", mopen("rights", R, 0, NULL));
  opened("others' to write", mopen("rights", W, 0, NULL));
  is("others' both", mopen("rights", O_RDWR, 0, NULL));
  is("others' to unlink", munlink("rights"));
  is("own", mopen("own", C | R, 0200, NULL) >= 0 ? 0 : -1);
  is("own to read", mopen("own", R, 0, NULL));
  is("own to unlink", munlink("own"));
}
static void limits(void) {
  puts("-- limits");
  static const char *files[] = {"queues_max", "msg_max", "msgsize_max", "msg_default", "msgsize_default"};
  char path[64];
  for (int i = 0; i < 5; i++) {
    sprintf(path, "/proc/sys/fs/mqueue/%s", files[i]);
    struct stat s;
    stat(path, &s);
    printf("%s %o %s", files[i], s.st_mode, text_of(path));
  }
  sizes();
  puts("as a user");
  in_child(user_sizes);
  in_child(user_many);
  in_child(user_limit);
  int q = mopen("rights", C | O_RDWR, 0, NULL);
  fchmod(q, 0602);
  in_child(user_rights);
  munlink("rights"); close(q);
#define SET(name, value) is(#name " " value, put("/proc/sys/fs/mqueue/" #name, value))
  SET(msg_max, "0"); SET(msg_max, "65537"); SET(msg_max, "5"); SET(msgsize_max, "127"); SET(msgsize_max, "16777217");
  SET(msgsize_max, "128"); SET(queues_max, "-1"); SET(queues_max, "1"); SET(msg_default, "0"); SET(msgsize_default, "100");
  q = mopen("one", C | O_RDWR, 0600, NULL);
  shown("a small one", q);
  in_child(user_many);
  struct mq_attr a = size_of(1, 1);
  opened("root has more", mopen("two", C | O_RDWR, 0600, &a));
  munlink("one"); munlink("two");
  in_child(user_many);
  close(q);
  SET(msg_default, "3"); SET(msgsize_default, "200"); SET(msg_max, "20"); SET(msgsize_max, "9000"); SET(queues_max, "3");
  q = make(O_RDWR, 1, 1);
  in_child(user_sizes);
  in_child(user_many);
  close(q);
  q = mopen("one", C | O_RDWR, 0600, NULL);
  shown("as by default", q);
  munlink("one"); close(q);
  SET(msg_default, "10"); SET(msgsize_default, "8192"); SET(msg_max, "10"); SET(msgsize_max, "8192"); SET(queues_max, "256");
}

/* What a thread does at the queue is told once it has been joined: it runs beside the main thread. */
static int shared;
struct work { const char *text; pthread_t thread; long result; int problem; unsigned priority; char got[16]; };
static void *receiver(void *of) {
  struct work *w = of;
  w->result = mreceive(shared, w->got, sizeof w->got, &w->priority, NULL);
  w->problem = errno;
  return NULL;
}
static void *sender(void *of) {
  struct work *w = of;
  w->result = msend(shared, w->text, strlen(w->text) + 1, *w->text, NULL);
  w->problem = errno;
  return NULL;
}
static void begin(struct work *w, void *(*f)(void *), const char *text) {
  memset(w, 0, sizeof *w);
  w->text = text;
  pthread_create(&w->thread, NULL, f, w);
  pause_ms(20);
}
static void end(struct work *w) {
  pthread_join(w->thread, NULL);
  errno = w->problem;
  is(w->text, w->result);
  if (*w->got) printf("  \"%s\" priority %u\n", w->got, w->priority);
}
static void waiting(void) {
  puts("-- waiting");
  shared = make(O_RDWR, 1, 16);
  struct work first, second, third;
  begin(&first, receiver, "first"), begin(&second, receiver, "second");
  shown("two wait", shared);
  msend(shared, "one", 4, 1, NULL);
  end(&first);
  struct pollfd p = {shared, POLLIN | POLLOUT, 0};
  is("nothing is left", poll(&p, 1, 0) == 1 ? p.revents : -1);
  msend(shared, "two", 4, 2, NULL);
  end(&second);
  msend(shared, "full", 5, 0, NULL);
  begin(&first, sender, "a waits"), begin(&second, sender, "b waits"), begin(&third, sender, "c waits");
  got("what was there", shared);
  end(&first);
  shown("the first took its place", shared);
  got("a", shared);
  end(&second);
  got("b", shared);
  end(&third);
  got("c", shared);
  begin(&first, receiver, "closed");
  int old = shared;
  char path[64];
  sprintf(path, "/proc/self/fd/%d", shared);
  shared = open(path, O_RDWR);
  close(old);
  msend(shared, "still", 6, 4, NULL);
  end(&first);
  close(shared);
  shared = make(O_RDWR, 1, 16);
  pid_t child = fork();
  if (child == 0) { receiver(&first); _exit(3); }
  pause_ms(20);
  kill(child, SIGKILL);
  int how;
  waitpid(child, &how, 0);
  msend(shared, "for nobody", 11, 4, NULL);
  got("the child is gone", shared);
  fflush(stdout);
  msend(shared, "full", 5, 4, NULL);
  child = fork();
  if (child == 0) { first.text = "from the child", sender(&first); _exit(3); }
  pause_ms(20);
  kill(child, SIGKILL);
  waitpid(child, &how, 0);
  got("full", shared);
  shown("and nothing of the child's", shared);
  close(shared);
}

static void on_signal(int sig) { (void)sig; }
static void handle(int sig, int flags) {
  struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};
  sigaction(sig, &sa, NULL);
}
static void interrupted(void) {
  puts("-- signals");
  struct itimerval in = {{0, 0}, {0, 20000}}, often = {{0, 20000}, {0, 20000}}, off = {0};
  int q = make(O_RDWR, 1, 8);
  handle(SIGALRM, 0);
  setitimer(ITIMER_REAL, &in, NULL);
  is("receive", mreceive(q, buffer, 8, NULL, NULL));
  msend(q, "x", 1, 0, NULL);
  struct timespec late = after(10000);
  setitimer(ITIMER_REAL, &in, NULL);
  is("send with a timeout", msend(q, "y", 1, 0, &late));
  handle(SIGALRM, SA_RESTART);
  setitimer(ITIMER_REAL, &often, NULL);
  struct timespec soon = after(70);
  is("send again and again", msend(q, "y", 1, 0, &soon));
  got("only one was sent", q);
  soon = after(70);
  is("receive again and again", mreceive(q, buffer, 8, NULL, &soon));
  setitimer(ITIMER_REAL, &off, NULL);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { got("stopped and continued", q); fflush(stdout); _exit(0); }
  pause_ms(20);
  kill(child, SIGSTOP);
  waitpid(child, NULL, WUNTRACED);
  kill(child, SIGCONT);
  pause_ms(20);
  msend(q, "hello", 6, 6, NULL);
  waitpid(child, NULL, 0);
  close(q);
}

static siginfo_t last;
static int told;
static void on_message(int sig, siginfo_t *info, void *context) { (void)sig; (void)context; last = *info; told++; }
static void tell(const char *what) {
  if (told) printf("%s: signal %d code %d value %d from %s uid %d\n", what, last.si_signo, last.si_code, last.si_value.sival_int,
    last.si_pid == getpid() ? "me" : "another", last.si_uid);
  else printf("%s: nothing\n", what);
  told = 0;
}
static struct sigevent event(int how, int sig, int value) {
  struct sigevent e = {0};
  e.sigev_notify = how; e.sigev_signo = sig; e.sigev_value.sival_int = value;
  return e;
}
static void state(const char *what, int q) {
  char text[100] = "";
  if (pread(q, text, sizeof text - 1, 0) < 0) { is(what, -1); return; }
  char *pid = strstr(text, "NOTIFY_PID:");
  int owner = atoi(pid + 11);
  *pid = 0;
  printf("%s: %s%s\n", what, text, owner == 0 ? "nobody" : owner == getpid() ? "me" : "another");
}
static void notified(void) {
  puts("-- notification");
  struct sigaction sa = {.sa_sigaction = on_message, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &sa, NULL); sigaction(SIGRTMIN + 3, &sa, NULL);
  int q = make(O_RDWR, 2, 8), other = dup(q), null = open("/dev/null", O_RDWR), p[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, p);
  struct sigevent e = event(SIGEV_SIGNAL, SIGUSR1, 42), none = event(SIGEV_NONE, 99, 0);
  struct sigevent strange = event(3, 1, 0), id = event(4, 1, 0), high = event(SIGEV_SIGNAL, 65, 0), low = event(SIGEV_SIGNAL, -1, 0), zero = event(SIGEV_SIGNAL, 0, 0);
  is("nowhere", mnotify(-1, BAD));
  is("strange", mnotify(-1, &strange));
  is("to a thread", mnotify(-1, &id));
  is("signal 65", mnotify(-1, &high));
  is("signal -1", mnotify(-1, &low));
  is("no file", mnotify(-1, &e));
  is("no file, nothing", mnotify(-1, NULL));
  is("not a queue", mnotify(null, &e));
  struct sigevent cookie = event(SIGEV_THREAD, null, 0);
  cookie.sigev_value.sival_ptr = BAD;
  is("thread, no cookie", mnotify(-1, &cookie));
  cookie.sigev_value.sival_ptr = buffer;
  is("thread, no socket", mnotify(-1, &cookie));
  cookie.sigev_signo = p[0];
  is("thread, another socket", mnotify(-1, &cookie));
  cookie.sigev_signo = -1;
  is("thread, no file", mnotify(-1, &cookie));
  is("nothing registered", mnotify(q, NULL));
  state("at first", q);
  is("signal", mnotify(q, &e));
  state("registered", q);
  is("again", mnotify(q, &e));
  is("again nothing", mnotify(q, &none));
  msend(q, "x", 1, 0, NULL);
  tell("a message");
  state("and it is over", q);
  is("again", mnotify(q, &e));
  msend(q, "y", 1, 0, NULL);
  tell("one more");
  got("x", q); got("y", q);
  msend(q, "z", 1, 0, NULL);
  tell("the first again");
  got("z", q);
  is("none", mnotify(q, &none));
  state("none", q);
  msend(q, "z", 1, 0, NULL);
  state("none is over", q);
  got("z", q);
  is("signal 0", mnotify(q, &zero));
  msend(q, "z", 1, 0, NULL);
  tell("signal 0");
  got("z", q);
  e = event(SIGEV_SIGNAL, SIGRTMIN + 3, -7);
  is("real-time", mnotify(q, &e));
  is("taken back", mnotify(q, NULL));
  msend(q, "z", 1, 0, NULL);
  tell("taken back");
  got("z", q);
  is("real-time", mnotify(q, &e));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    is("the child's", mnotify(q, &e));
    is("not the child's to take back", mnotify(q, NULL));
    close(other);
    state("to the child", q);
    if (setresuid(1004, 1004, 1004)) puts("setresuid");
    msend(q, "c", 1, 0, NULL);
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  tell("from the child");
  got("c", q);
  is("signal", mnotify(q, &e));
  close(other);
  state("one number closed", q);
  other = dup(q);
  is("signal", mnotify(q, &e));
  dup2(null, other);
  state("one number replaced", q);
  shared = q;
  is("signal", mnotify(q, &e));
  struct work t;
  begin(&t, receiver, "who waits");
  msend(q, "w", 2, 0, NULL);
  end(&t);
  tell("somebody waited");
  state("and it goes on", q);
  mnotify(q, NULL);
  fflush(stdout);
  child = fork();
  if (child == 0) {
    is("the child's", mnotify(q, &e));
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  state("the child has ended", q);
  close(q); close(null); close(p[0]); close(p[1]);
}

static void executed(char *const number) {
  int q = atoi(number);
  state("after exec", q);
  is("sent", msend(q, "x", 1, 0, NULL));
  state("and it is over", q);
  got("received", q);
}
static void exec_self(int keep) {
  struct sigevent e = event(SIGEV_SIGNAL, SIGKILL, 0);
  int q = make(O_RDWR, 2, 8);
  char number[16];
  sprintf(number, "%d", q);
  if (keep) fcntl(q, F_SETFD, 0);
  is("registered", mnotify(q, &e));
  fflush(stdout);
  execl("/proc/self/exe", "call_mqueue", "executed", number, NULL);
}
static void exec_kept(void) { exec_self(1); }
static void exec_closed(void) { exec_self(0); }
static void across_exec(void) {
  puts("-- exec");
  in_child(exec_kept);
  in_child(exec_closed);
}

static void polled(const char *what, int q, int ep) {
  struct pollfd p = {q, POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM | POLLPRI, 0};
  struct epoll_event e = {0};
  int r = poll(&p, 1, 0), s = epoll_wait(ep, &e, 1, 0);
  printf("%s: poll %d %x, epoll %d %x\n", what, r, p.revents, s, s == 1 ? e.events : 0);
}
static void *later(void *text) { pause_ms(30); msend(shared, text, 2, 0, NULL); return NULL; }
static void polling(void) {
  puts("-- polling");
  int q = make(O_RDWR | N, 2, 8), ep = epoll_create1(0);
  struct epoll_event want = {EPOLLIN | EPOLLOUT | EPOLLET, {0}};
  is("epoll_ctl", epoll_ctl(ep, EPOLL_CTL_ADD, q, &want));
  polled("empty", q, ep); polled("again", q, ep);
  msend(q, "a", 1, 0, NULL);
  polled("one", q, ep);
  msend(q, "b", 1, 0, NULL);
  polled("full", q, ep);
  got("a", q);
  polled("one", q, ep);
  got("b", q);
  polled("empty", q, ep);
  shared = q;
  pthread_t t;
  pthread_create(&t, NULL, later, "l");
  struct pollfd p = {q, POLLIN, 0};
  is("waits for a message", poll(&p, 1, 5000));
  pthread_join(t, NULL);
  got("it", q);
  close(q); close(ep);
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[1], "executed")) { executed(argv[2]); return 0; }
  opening();
  file();
  transfer();
  attributes();
  limits();
  waiting();
  interrupted();
  notified();
  across_exec();
  polling();
  return 0;
}
