/* What the reader of a userfaultfd(2) is told of a program's memory: forks, moves, removals and unmappings. Who makes the change waits
 * until it was read of; meanwhile no page can be brought. And what fork, exec, exit and signals do to those who wait. */
#include "userfault.h"
#include <sys/uio.h>

static struct message m;

struct caller { pthread_t thread; void (*call)(void); volatile int done; };
static void *call_it(void *arg) {
  struct caller *c = arg;
  c->call();
  c->done = 1;
  return NULL;
}
static void begin_call(struct caller *c, void (*call)(void)) {
  c->call = call, c->done = 0;
  fflush(stdout);
  pthread_create(&c->thread, NULL, call_it, c);
}
static void end_call(struct caller *c) { pthread_join(c->thread, NULL); }
/* Waits until there is something to read, and says whether the call is through nevertheless. */
static int is_done(struct caller *c) {
  struct pollfd p = {uffd, POLLIN, 0};
  poll(&p, 1, 20000);
  return c->done;
}

static void fresh(uint64_t features, long pages) {
  clear(64), map(0, pages, RW, PRIV);
  uffd = open_uffd(O_NONBLOCK, features);
  register_at(AT(0), pages, MISSING);
}
static void copied(const char *what, void *p) {
  struct copy c = {(uintptr_t)p, (uintptr_t)source, PG, 0, 7 * PG};
  left(what, ioctl(uffd, IO_COPY, &c), c.done);
}

static long result, second;
static void drop(void) { result = madvise(AT(1), 3 * PG, MADV_DONTNEED); }
static void drop_all(void) { result = madvise(AT(0), 8 * PG, MADV_DONTNEED); }
static void lazily(void) { result = madvise(AT(0), PG, MADV_FREE); }
static void unmap(void) { result = munmap(AT(2), 2 * PG); }
static void replace(void) { result = mmap(AT(4), 2 * PG, RW, PRIV | MAP_FIXED, -1, 0) == AT(4) ? 0 : -1; }
static void move(void) { result = mremap(AT(0), 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(20)) == AT(20) ? 0 : -1; }
static void move_over(void) { result = mremap(AT(0), 3 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(6)) == AT(6) ? 0 : -1; }
static void move_keeping(void) { result = mremap(AT(0), 2 * PG, 2 * PG, MREMAP_MAYMOVE | 4, NULL) == MAP_FAILED ? -1 : 0; }
static void shrink(void) { result = mremap(AT(0), 8 * PG, 5 * PG, 0) == AT(0) ? 0 : -1; }
static void punch(void) { result = madvise(AT(1), PG, MADV_REMOVE); }
static void heap(void) {
  char *top = (char *)syscall(SYS_brk, 0);
  result = (char *)syscall(SYS_brk, top - 2 * PG) == top - 2 * PG ? 0 : -1;
}

static void removals(void) {
  struct caller c;
  fresh(EVENT_REMOVE, 8);
  for (int i = 0; i < 6; i++) copy_to(AT(i), source + i * PG, 1, 0);
  begin_call(&c, drop);
  next("event", &m);
  end_call(&c), is("dontneed", result);
  printf("%c, copied again: ", *AT(0)), is("", copy_to(AT(1), source, 1, 0));
  begin_call(&c, drop);
  printf("waits: %s\n", is_done(&c) ? "no" : "yes");
  copied("copy meanwhile", AT(6));
  struct fill z = {span(AT(6), 1), 0, 7 * PG};
  left("zero meanwhile", ioctl(uffd, IO_ZEROPAGE, &z), z.done);
  left("poison meanwhile", ioctl(uffd, IO_POISON, &z), z.done);
  struct copy mv = {(uintptr_t)AT(6), (uintptr_t)AT(0), PG, 0, 7 * PG};
  left("move meanwhile", ioctl(uffd, IO_MOVE, &mv), mv.done);
  is("wake meanwhile", wake_at(AT(6), 1));
  is("length 0 meanwhile", fill_at(IO_ZEROPAGE, AT(6), 0, 0)), is("nowhere", ioctl(uffd, IO_COPY, (void *)8));
  struct pollfd p = {uffd, POLLIN, 0};
  is("poll", poll(&p, 1, 0));
  printf("still there: %c\n", *AT(1));
  next("event", &m), end_call(&c);
  copied("copy afterwards", AT(6));
  begin_call(&c, lazily), next("free", &m), end_call(&c), is("free", result);
  mprotect(AT(3), PG, PROT_READ);
  begin_call(&c, drop_all), next("first part", &m), printf("done %d\n", is_done(&c)), next("second", &m), next("third", &m), end_call(&c);
  is("dontneed", result), is("no more", read(uffd, &m, sizeof m));
  copy_to(AT(6), source, 1, 0), mlock(AT(6), PG), is("locked", madvise(AT(6), PG, MADV_DONTNEED)), munlock(AT(6), PG);
  begin_call(&c, drop);
  printf("waits: %s\n", is_done(&c) ? "no" : "yes");
  close(uffd), end_call(&c), is("closed: dontneed", result);
  clear(8);
  int mem = syscall(SYS_memfd_create, "m", 0);
  ftruncate(mem, 4 * PG);
  uffd = open_uffd(O_NONBLOCK, EVENT_REMOVE);
  mmap(BASE, 4 * PG, RW, MAP_SHARED | MAP_FIXED, mem, 0);
  register_at(AT(0), 4, MISSING), copy_to(AT(1), source, 1, 0);
  begin_call(&c, punch), next("a hole", &m), end_call(&c), is("remove", result);
  is("empty again", copy_to(AT(1), source + PG, 1, 0)), printf("%c\n", *AT(1));
  begin_call(&c, lazily), next("told, and refused then", &m), end_call(&c), printf("free: %s\n", result ? "refused" : "done");
  close(uffd), close(mem), clear(4);
}

static void unmappings(void) {
  struct caller c;
  fresh(EVENT_UNMAP, 8);
  copy_to(AT(4), source, 1, 0);
  begin_call(&c, unmap), printf("waits: %s\n", is_done(&c) ? "no" : "yes");
  copied("copy meanwhile", AT(0)), maps("gone already", 8);
  next("event", &m), end_call(&c), is("munmap", result);
  begin_call(&c, replace), next("event", &m), end_call(&c), is("mmap", result), flags_of("new", AT(4));
  begin_call(&c, shrink);
  next("event", &m), end_call(&c), is("mremap over a hole", result);
  close(uffd);
  fresh(EVENT_UNMAP, 8);
  begin_call(&c, shrink), next("event", &m), end_call(&c), is("mremap", result);
  close(uffd);
  char *top = (char *)syscall(SYS_brk, 0);
  syscall(SYS_brk, top + 4 * PG), top = (char *)(((uintptr_t)top + PG - 1) & -PG);
  uffd = open_uffd(O_NONBLOCK, EVENT_UNMAP);
  is("heap", register_at(top, 3, MISSING));
  begin_call(&c, heap);
  memset(&m, 0, sizeof m);
  is("event", next_of(uffd, &m)), printf("%x, %ld pages\n", m.event, (long)((m.range.end - m.range.start) / PG));
  end_call(&c), is("brk", result);
  close(uffd), clear(8);
}

static void moves(void) {
  struct caller c;
  fresh(0, 8), copy_to(AT(0), source, 2, 0);
  move(), is("mremap without event", result), flags_of("lost", AT(20)), printf("%c\n", *AT(21));
  close(uffd);
  fresh(EVENT_REMAP, 8), copy_to(AT(0), source, 1, 0);
  begin_call(&c, move), printf("waits: %s\n", is_done(&c) ? "no" : "yes"), copied("copy meanwhile", AT(21));
  next("event", &m), end_call(&c), is("mremap", result), flags_of("kept", AT(20));
  copied("copy afterwards", AT(21)), printf("%c%c\n", *AT(20), *AT(21));
  close(uffd), flags_of("closed", AT(20));
  fresh(EVENT_REMAP | EVENT_UNMAP, 8), copy_to(AT(0), source, 2, 0);
  begin_call(&c, move_over), next("first", &m), next("second", &m), next("third", &m), next("fourth", &m), end_call(&c), is("mremap", result);
  maps("now", 10), close(uffd);
  fresh(EVENT_REMAP | EVENT_UNMAP, 8), copy_to(AT(0), source, 2, 0);
  begin_call(&c, move_keeping), next_of(uffd, &m), printf("event %x from %ld\n", m.event, (long)(m.remap.from - (uintptr_t)BASE) / (long)PG);
  end_call(&c), is("mremap", result), flags_of("stays", AT(0)), copied("and is empty", AT(0));
  is("no more", read(uffd, &m, sizeof m));
  close(uffd), clear(10);
}

/* --- forks --- */
static volatile pid_t child;
static int pipes[2];
static void forking(void) {
  pid_t id = fork();
  if (id == 0) {
    char seen = *(volatile char *)AT(2);
    write(pipes[1], &seen, 1);
    _exit(0);
  }
  child = id;
}
/* The child has the same files, and so no file of the parent's is kept open by it. */
static void forking_with_files(void) {
  pid_t id = syscall(SYS_clone, 0x400 | SIGCHLD, 0, 0, 0, 0);
  if (id == 0) {
    char seen = *(volatile char *)AT(1);
    syscall(SYS_write, pipes[1], &seen, 1);
    syscall(SYS_exit_group, 0);
  }
  child = id;
}
static void forks(void) {
  struct caller c;
  char seen = 'z';
  pipe(pipes);
  fresh(0, 4);
  forking(), read(pipes[0], &seen, 1), waitpid(child, NULL, 0), printf("without event: %d\n", seen);
  close(uffd);
  fresh(EVENT_FORK, 4), copy_to(AT(0), source, 1, 0);
  begin_call(&c, forking), printf("waits: %s\n", is_done(&c) ? "no" : "yes"), copied("copy meanwhile", AT(1));
  struct pollfd early = {pipes[0], POLLIN, 0};
  is("the child runs", poll(&early, 1, 0));
  struct message f = {0};
  next_of(uffd, &f), show("event", &f);
  end_call(&c), printf("child %s\n", child > 0 ? "there" : "none");
  printf("fl %x fd %x\n", fcntl(f.fork.fd, F_GETFL), fcntl(f.fork.fd, F_GETFD));
  int parents = uffd;
  uffd = f.fork.fd;
  next("the child's fault", &m);
  struct api a = {0xAA, 0, 0};
  is("api of it", ioctl(uffd, IO_API, &a));
  is("brought", copy_to(AT(2), source + 2 * PG, 1, 0));
  read(pipes[0], &seen, 1), waitpid(child, NULL, 0), printf("the child saw %c\n", seen);
  copied("the child is gone", AT(3));
  struct reg r = {span(AT(0), 1), MISSING, 0};
  is("register", ioctl(uffd, IO_REGISTER, &r)), is("unregister", unregister_at(AT(0), 1)), is("wake", wake_at(AT(0), 1));
  struct copy mv = {(uintptr_t)AT(3), (uintptr_t)AT(0), PG, 0, 7 * PG};
  left("move", ioctl(uffd, IO_MOVE, &mv), mv.done);
  struct protect w = {span(AT(0), 1), 0};
  is("writeprotect", ioctl(uffd, IO_WRITEPROTECT, &w));
  is("read", read(uffd, &m, sizeof m));
  close(uffd), uffd = parents;
  copied("the parent's own", AT(2)), printf("%c\n", *AT(2));
  begin_call(&c, forking_with_files), printf("waits: %s\n", is_done(&c) ? "no" : "yes");
  close(uffd), end_call(&c), read(pipes[0], &seen, 1), waitpid(child, NULL, 0), printf("closed: %d\n", seen);
  clear(4);
  fresh(EVENT_FORK, 4);
  struct rlimit { unsigned long soft, hard; } limit = {0, 1024}, old;
  syscall(261, 0, 7, NULL, &old);
  begin_call(&c, forking), is_done(&c);
  limit.soft = 3;
  syscall(261, 0, 7, &limit, NULL);
  is("no number for it", read(uffd, &m, sizeof m));
  syscall(261, 0, 7, &old, NULL);
  next("later", &m), end_call(&c);
  close(m.fork.fd), read(pipes[0], &seen, 1), waitpid(child, NULL, 0), printf("its file is closed: %d\n", seen);
  close(uffd), clear(4), close(pipes[0]), close(pipes[1]);
}

/* --- ends --- */
static void *touch_one(void *p) { return (void *)(long)*(volatile char *)p; }
static void waits_and_exits(void) {
  fresh(0, 4);
  pthread_t t;
  for (int i = 0; i < 3; i++) pthread_create(&t, NULL, touch_one, AT(i)), until(i + 1);
  next("one waits", &m);
  puts("exits");
}
static void execs(void) {
  char *args[] = {"/proc/self/exe", "again", NULL};
  fresh(0, 4);
  pthread_t t;
  pthread_create(&t, NULL, touch_one, AT(0)), until(1);
  char number[16];
  fcntl(uffd, F_SETFD, 0);
  snprintf(number, sizeof number, "%d", uffd), args[1] = number;
  fflush(stdout);
  execv("/proc/self/exe", args);
}
static void after_exec(int fd) {
  uffd = fd;
  copied("memory is another's now", AT(0));
  struct reg r = {span(AT(0), 1), MISSING, 0};
  map(0, 1, RW, PRIV);
  is("register", ioctl(uffd, IO_REGISTER, &r));
  is("read", read(uffd, &m, sizeof m));
}
static void reader_dies(void) {
  int ready[2];
  pipe(ready);
  fresh(0, 4);
  pid_t reader = fork();
  if (reader == 0) { read(ready[0], &m, 1), _exit(0); }
  close(uffd);
  pthread_t t;
  void *seen = NULL;
  pthread_create(&t, NULL, touch_one, AT(1));
  usleep(20000);
  write(ready[1], "x", 1), waitpid(reader, NULL, 0);
  pthread_join(t, &seen), printf("the last reader has died: %ld\n", (long)seen);
}
static void killed(void) {
  int fd;
  fresh(0, 4), fd = uffd;
  pid_t id = fork();
  if (id == 0) {
    fresh(0, 4);
    struct iovec *v = (void *)AT(0);
    syscall(SYS_readv, 0, v, 1);
    _exit(0);
  }
  usleep(50000);
  int how = 0;
  kill(id, SIGKILL);
  waitpid(id, &how, 0), printf("in a call, killed by %d\n", WTERMSIG(how));
  close(fd);
}

int main(int argc, char **argv) {
  begin();
  if (argc > 1 && argv[1][0] >= '0' && argv[1][0] <= '9') { after_exec(atoi(argv[1])); return 0; }
  removals();
  unmappings();
  moves();
  forks();
  in_child(waits_and_exits);
  in_child(execs);
  in_child(reader_dies);
  in_child(killed);
  (void)second;
  return 0;
}
