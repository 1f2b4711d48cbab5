/* get_mempolicy(2), set_mempolicy(2), mbind(2), set_mempolicy_home_node(2), migrate_pages(2) and move_pages(2) with one node. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#define PG 4096UL
#define STATIC 0x8000
#define RELATIVE 0x4000
#define BALANCING 0x2000
enum { DEFAULT, PREFERRED, BIND, INTERLEAVE, LOCAL, MANY, WEIGHTED };
static char *base;
static unsigned long mask[8200];

static void show(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}
static long get(int *mode, void *nodes, unsigned long max, const void *at, unsigned long flags) { return syscall(236, mode, nodes, max, at, flags); }
static long set(int mode, const void *nodes, unsigned long max) { return syscall(237, mode, nodes, max); }
static long bind_(const void *at, unsigned long bytes, unsigned long mode, const void *nodes, unsigned long max, unsigned flags) { return syscall(235, at, bytes, mode, nodes, max, flags); }
static long home(const void *at, unsigned long bytes, unsigned long node, unsigned long flags) { return syscall(450, at, bytes, node, flags); }
static long migrate(int pid, unsigned long max, const void *from, const void *to) { return syscall(238, pid, max, from, to); }
static long move(int pid, unsigned long n, void *pages, const void *nodes, void *status, int flags) { return syscall(239, pid, n, pages, nodes, status, flags); }

static void policy(const char *what, const void *at) {
  int mode = -1;
  unsigned long nodes = 0xdeadbeef;
  long r = get(&mode, &nodes, 64, at, at ? 2 : 0);
  if (r < 0) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: mode %x nodes %lx\n", what, mode, nodes);
}
/* The mappings of a range: where they are cut, in pages from its start. */
static void cuts(const char *what, char *from, unsigned pages) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[256];
  printf("%s:", what);
  while (fgets(line, 256, f)) {
    unsigned long a, b;
    sscanf(line, "%lx-%lx", &a, &b);
    if (b <= (unsigned long)from || a >= (unsigned long)from + pages * PG) continue;
    if (a < (unsigned long)from) a = (unsigned long)from;
    if (b > (unsigned long)from + pages * PG) b = (unsigned long)from + pages * PG;
    printf(" %lu-%lu", (a - (unsigned long)from) / PG, (b - (unsigned long)from) / PG);
  }
  puts("");
  fclose(f);
}
static void numa(const char *what, char *from, unsigned pages) {
  FILE *f = fopen("/proc/self/numa_maps", "r");
  char line[512];
  while (fgets(line, 512, f)) {
    unsigned long a = strtoul(line, NULL, 16);
    if (a < (unsigned long)from || a >= (unsigned long)from + pages * PG) continue;
    char *p = strchr(line, ' '), *end = strchr(p + 1, ' ');
    int weighted = !strncmp(p + 1, "weighted", 8) || !strncmp(p + 1, "prefer (many)", 13);
    if (weighted && end) end = strchr(end + 1, ' ');
    if (end) *end = 0;
    p[strcspn(p, "\n")] = 0;
    printf("%s: +%lu%s\n", what, (a - (unsigned long)from) / PG, p);
  }
  fclose(f);
}

static void reading(void) {
  puts("-- get_mempolicy");
  int mode = 77;
  policy("at the start", NULL);
  policy("of memory", base);
  policy("of a hole", (void *)8);
  policy("2^63", (void *)(1UL << 63));
  show("nothing asked", get(NULL, NULL, 0, NULL, 0));
  show("nowhere to put the mode", get((int *)8, NULL, 0, NULL, 0));
  show("nowhere to put the nodes", get(NULL, (void *)8, 64, NULL, 0));
  for (unsigned long max = 0; max < 5; max++) printf("room for %lu nodes: ", max), show("", get(NULL, mask, max, NULL, 0));
  memset(mask, 0xff, sizeof mask);
  show("room for 1024", get(NULL, mask, 1024, NULL, 4));
  printf("%lx %lx %lx %lx\n", mask[0], mask[1], mask[15], mask[16]);
  memset(mask, 0xff, sizeof mask);
  show("room for 5", get(NULL, mask, 5, NULL, 4));
  printf("%lx %lx\n", mask[0], mask[1]);
  show("room for 32768", get(NULL, mask, 32768, NULL, 0));
  show("room for 32769", get(NULL, mask, 32769, NULL, 0));
  show("room for 32833", get(NULL, mask, 32833, NULL, 0));
  show("room for 2^63", get(NULL, mask, 1UL << 63, NULL, 0));
  show("room for -1", get(NULL, mask, -1UL, NULL, 0));
  for (unsigned long flags = 0; flags < 8; flags++) {
    mode = 77, mask[0] = -1;
    long r = get(&mode, mask, 64, flags & 2 ? base : NULL, flags);
    printf("flags %lu: %ld %s mode %d nodes %lx\n", flags, r, r < 0 ? errno_name(errno) : "", mode, mask[0]);
  }
  for (int bit = 3; bit < 64; bit++)
    if (get(&mode, NULL, 0, NULL, 1UL << bit) != -1 || errno != EINVAL) printf("flag %d accepted\n", bit);
  show("an address without its flag", get(&mode, NULL, 0, base, 0));
  show("an address with MEMS_ALLOWED", get(&mode, NULL, 0, base, 4));
  mode = 77;
  show("the node of a page never touched", get(&mode, NULL, 0, base + 60 * PG, 3));
  printf("%d\n", mode);
  show("the node of memory without access", get(&mode, NULL, 0, base + 70 * PG, 3));
}

static void setting(void) {
  puts("-- set_mempolicy");
  static const struct { const char *name; int mode; unsigned long nodes; } tries[] = {
    {"default", DEFAULT, 0}, {"default with nodes", DEFAULT, 1}, {"preferred", PREFERRED, 1}, {"preferred nowhere", PREFERRED, 0}, {"preferred node 1", PREFERRED, 2}, {"preferred 0 and 1", PREFERRED, 3},
    {"bind", BIND, 1}, {"bind nowhere", BIND, 0}, {"bind 1", BIND, 2}, {"bind 0 to 3", BIND, 15}, {"bind 4", BIND, 16}, {"interleave", INTERLEAVE, 1}, {"interleave nowhere", INTERLEAVE, 0},
    {"local", LOCAL, 0}, {"local with nodes", LOCAL, 1}, {"many", MANY, 1}, {"many nowhere", MANY, 0}, {"weighted", WEIGHTED, 1}, {"weighted nowhere", WEIGHTED, 0}, {"7", 7, 1}, {"-1", -1, 1},
    {"static bind", BIND | STATIC, 3}, {"static bind 1", BIND | STATIC, 2}, {"relative bind 1", BIND | RELATIVE, 2}, {"relative bind 0 and 2", BIND | RELATIVE, 5}, {"both", BIND | STATIC | RELATIVE, 1},
    {"static preferred", PREFERRED | STATIC, 1}, {"static preferred nowhere", PREFERRED | STATIC, 0}, {"relative preferred 1", PREFERRED | RELATIVE, 2}, {"static local", LOCAL | STATIC, 0}, {"static default", DEFAULT | STATIC, 0},
    {"balancing bind", BIND | BALANCING, 1}, {"balancing static bind", BIND | BALANCING | STATIC, 3}, {"balancing many", MANY | BALANCING, 1}, {"balancing interleave", INTERLEAVE | BALANCING, 1}, {"balancing default", DEFAULT | BALANCING, 0},
    {"static interleave", INTERLEAVE | STATIC, 1}, {"relative weighted", WEIGHTED | RELATIVE, 8}, {"bit 12", BIND | 0x1000, 1}, {"bit 16", BIND | 0x10000, 1}};
  for (unsigned i = 0; i < sizeof tries / sizeof *tries; i++) {
    unsigned long nodes = tries[i].nodes;
    long r = set(tries[i].mode, &nodes, 64);
    int mode = -1;
    unsigned long now = -1UL;
    get(&mode, &now, 64, NULL, 0);
    printf("%s: %s, mode %x nodes %lx", tries[i].name, r < 0 ? errno_name(errno) : "0", mode, now);
    r = get(&mode, NULL, 0, NULL, 1);
    printf(", next %s%d\n", r < 0 ? errno_name(errno) : "", r < 0 ? 0 : mode);
  }
  mask[0] = 1;
  memset(mask + 1, 0, sizeof mask - 8);
  static const unsigned long maxes[] = {0, 1, 2, 4, 5, 63, 64, 65, 66, 129, 32768, 32769, 32770, 1UL << 32, 1UL << 63, -1UL};
  for (unsigned i = 0; i < sizeof maxes / sizeof *maxes; i++) printf("bind of %lx nodes: ", maxes[i]), show("", set(BIND, mask, maxes[i]));
  mask[0] = 1 | 1UL << 40;
  for (unsigned i = 3; i < 8; i++) printf("with bit 40, of %lu: ", maxes[i]), show("", set(BIND, mask, maxes[i]));
  mask[0] = 1, mask[1] = 1;
  for (unsigned i = 6; i < 10; i++) printf("with bit 64, of %lu: ", maxes[i]), show("", set(BIND, mask, maxes[i]));
  mask[1] = 0;
  show("nodes nowhere", set(BIND, (void *)8, 64));
  show("nodes at 2^63", set(BIND, (void *)(1UL << 63), 64));
  show("NULL", set(BIND, NULL, 64));
  show("default, nodes nowhere", set(DEFAULT, (void *)8, 64));
  show("bad mode, nodes nowhere", set(99, (void *)8, 64));
  show("default, NULL", set(DEFAULT, NULL, 64));
}

static void *in_thread(void *p) {
  policy("in a new thread", NULL);
  unsigned long one = 1;
  set(INTERLEAVE, &one, 64);
  policy("its own", NULL);
  return NULL;
}
static void inheriting(void) {
  puts("-- inheriting");
  unsigned long one = 1;
  set(BIND, &one, 64);
  policy("memory under a policy of the thread", base);
  numa("thread's policy", base, 8);
  pthread_t t;
  pthread_create(&t, NULL, in_thread, NULL);
  pthread_join(t, NULL);
  policy("still", NULL);
  fflush(stdout);
  if (fork() == 0) {
    policy("in a child", NULL);
    set(DEFAULT, NULL, 0);
    policy("its own", NULL);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  policy("still", NULL);
  set(DEFAULT, NULL, 0);
}

static void binding(void) {
  puts("-- mbind");
  unsigned long one = 1, two = 2, none = 0;
  char *p = base + 100 * PG;
  cuts("at first", p, 64);
  show("middle", bind_(p + 10 * PG, 10 * PG, BIND, &one, 64, 0));
  cuts("cut", p, 64);
  policy("before", p + 9 * PG), policy("inside", p + 10 * PG), policy("last byte", p + 20 * PG - 1), policy("after", p + 20 * PG);
  show("the same beside it", bind_(p + 20 * PG, 5 * PG, BIND, &one, 64, 0));
  cuts("joined", p, 64);
  show("another beside it", bind_(p + 25 * PG, 5 * PG, INTERLEAVE, &one, 64, 0));
  show("static beside it", bind_(p + 30 * PG, 5 * PG, BIND | STATIC, &one, 64, 0));
  unsigned long three = 3;
  show("static with other nodes", bind_(p + 35 * PG, 5 * PG, BIND | STATIC, &three, 64, 0));
  show("many", bind_(p + 40 * PG, 2 * PG, MANY, &one, 64, 0));
  show("weighted", bind_(p + 42 * PG, 2 * PG, WEIGHTED, &one, 64, 0));
  show("preferred", bind_(p + 44 * PG, 2 * PG, PREFERRED, &one, 64, 0));
  show("local", bind_(p + 46 * PG, 2 * PG, LOCAL, NULL, 0, 0));
  show("preferred nowhere", bind_(p + 48 * PG, 2 * PG, PREFERRED, NULL, 0, 0));
  show("relative, balancing", bind_(p + 50 * PG, 2 * PG, BIND | RELATIVE | BALANCING, &one, 64, 0));
  cuts("many", p, 64);
  numa("text", p, 64);
  policy("preferred nowhere is", p + 48 * PG);
  int mode = -1;
  show("node of a page", get(&mode, NULL, 0, p + 12 * PG, 3));
  printf("%d\n", mode);
  show("next of an interleaved mapping", get(&mode, NULL, 0, p + 26 * PG, 3));
  show("default again", bind_(p, 64 * PG, DEFAULT, NULL, 0, 0));
  cuts("joined again", p, 64);
  show("no nodes", bind_(p, PG, BIND, &none, 64, 0));
  show("node 1", bind_(p, PG, BIND, &two, 64, 0));
  show("unaligned", bind_(p + 1, PG, BIND, &one, 64, 0));
  show("length 0", bind_(p, 0, BIND, &one, 64, 0));
  show("length 0, node 1", bind_(p, 0, BIND, &two, 64, 0));
  show("length 0, bad mode", bind_(p, 0, 99, &two, 64, 0));
  show("one byte", bind_(p, 1, BIND, &one, 64, 0));
  cuts("one byte", p, 64);
  bind_(p, 64 * PG, DEFAULT, NULL, 0, 0);
  show("length -1", bind_(p, -1UL, BIND, &one, 64, 0));
  show("length -4096", bind_(p, -PG, BIND, &one, 64, 0));
  show("beyond all memory", bind_((void *)(1UL << 50), PG, BIND, &one, 64, 0));
  show("2^63", bind_((void *)(1UL << 63), PG, BIND, &one, 64, 0));
  show("mode of 64 bits", bind_(p, PG, 1UL << 32 | BIND, &one, 64, 0));
  for (int bit = 0; bit < 32; bit++) {
    long r = bind_(p, PG, BIND, &one, 64, 1u << bit);
    if (r == 0) printf("flag %d: 0\n", bit);
    else if (errno != EINVAL) printf("flag %d: %s\n", bit, errno_name(errno));
  }
  show("flags before alignment", bind_(p + 1, PG, BIND, &one, 64, 1u << 20));
  show("alignment before the mode's nodes", bind_(p + 1, PG, BIND, &none, 64, 0));
  show("nodes nowhere before flags", bind_(p, PG, BIND, (void *)8, 64, 1u << 20));
  char *q = p + 64 * PG;
  munmap(q + 4 * PG, 4 * PG);
  show("a hole inside", bind_(q, 16 * PG, BIND, &one, 64, 0));
  cuts("after it", q, 16);
  show("a hole at the start", bind_(q + 5 * PG, 8 * PG, BIND, &one, 64, 0));
  show("a hole at the end", bind_(q, 6 * PG, BIND, &one, 64, 0));
  show("a hole alone", bind_(q + 5 * PG, PG, BIND, &one, 64, 0));
  show("a hole, default", bind_(q, 16 * PG, DEFAULT, NULL, 0, 0));
  show("a hole alone, default", bind_(q + 5 * PG, PG, DEFAULT, NULL, 0, 0));
  show("strict", bind_(q, 4 * PG, BIND, &one, 64, 1));
  memset(q, 1, 2 * PG);
  show("strict, local", bind_(q, PG, LOCAL, NULL, 0, 1));
  show("strict and move, local", bind_(q, PG, LOCAL, NULL, 0, 3));
  show("strict, local, untouched", bind_(q + 3 * PG, PG, LOCAL, NULL, 0, 1));
  show("strict, relative 1", bind_(q, PG, BIND | RELATIVE, &two, 64, 1));
  show("strict, default", bind_(q, 4 * PG, DEFAULT, NULL, 0, 1));
  show("strict and move", bind_(q, 4 * PG, BIND, &one, 64, 3));
  /* What keeps a policy, and what does not. */
  char *r = base + 200 * PG;
  bind_(r, 8 * PG, BIND, &one, 64, 0);
  mprotect(r + 2 * PG, 2 * PG, PROT_READ);
  policy("under mprotect", r + 2 * PG);
  mprotect(r + 2 * PG, 2 * PG, PROT_READ | PROT_WRITE);
  cuts("and back", r, 16);
  char *moved = mremap(r, 8 * PG, 20 * PG, MREMAP_MAYMOVE);
  policy("moved by mremap", moved), policy("and grown", moved + 15 * PG);
  char *fresh = mmap(r, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  policy("mapped anew", fresh);
  bind_(fresh, 8 * PG, BIND, &one, 64, 0);
  mmap(fresh + 8 * PG, 8 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  cuts("new beside old", fresh, 24);
  bind_(fresh, 8 * PG, DEFAULT, NULL, 0, 0);
  cuts("without it", fresh, 24);
  bind_(fresh, 8 * PG, BIND, &one, 64, 0);
  fflush(stdout);
  if (fork() == 0) {
    policy("in a child", fresh);
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  munmap(moved, 20 * PG);
}

static void homes(void) {
  puts("-- set_mempolicy_home_node");
  unsigned long one = 1;
  char *p = base + 300 * PG;
  show("no policy", home(p, PG, 0, 0));
  bind_(p, 8 * PG, BIND, &one, 64, 0);
  show("bind", home(p, 4 * PG, 0, 0));
  cuts("cut", p, 12);
  show("the rest", home(p + 4 * PG, 4 * PG, 0, 0));
  cuts("joined", p, 12);
  policy("looks like", p);
  bind_(p + 8 * PG, 2 * PG, INTERLEAVE, &one, 64, 0);
  show("interleave", home(p + 8 * PG, PG, 0, 0));
  show("bind, then interleave", home(p, 9 * PG, 0, 0));
  bind_(p + 8 * PG, 2 * PG, MANY, &one, 64, 0);
  show("many", home(p + 8 * PG, 2 * PG, 0, 0));
  show("flags", home(p, PG, 0, 1));
  show("node 1", home(p, PG, 1, 0));
  show("node 4", home(p, PG, 4, 0));
  show("node -1", home(p, PG, -1UL, 0));
  show("unaligned", home(p + 1, PG, 0, 0));
  show("length 0", home(p, 0, 0, 0));
  show("wraps", home(p, -PG, 0, 0));
  show("a hole", home((void *)(1UL << 37), PG, 0, 0));
  bind_(p, 16 * PG, DEFAULT, NULL, 0, 0);
}

static void drop_nice(void) {
  struct __user_cap_header_struct h = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct d[2];
  syscall(SYS_capget, &h, d);
  d[0].effective &= ~(1u << CAP_SYS_NICE);
  syscall(SYS_capset, &h, d);
}

static int victim(int *end) {
  int p[2];
  pipe(p);
  int pid = fork();
  if (pid == 0) {
    char c;
    close(p[1]), read(p[0], &c, 1);
    _exit(0);
  }
  close(p[0]);
  *end = p[1];
  return pid;
}
static void migrating(void) {
  puts("-- migrate_pages");
  unsigned long one = 1, two = 2, none = 0, both = 3;
  show("0 to 0", migrate(0, 64, &one, &one));
  show("1 to 0", migrate(0, 64, &two, &one));
  show("0 to 1", migrate(0, 64, &one, &two));
  show("0 to both", migrate(0, 64, &one, &both));
  show("0 to nowhere", migrate(0, 64, &one, &none));
  show("nothing to 0", migrate(0, 64, &none, &one));
  show("old nowhere", migrate(0, 64, (void *)8, &one));
  show("new nowhere", migrate(0, 64, &one, (void *)8));
  show("old NULL", migrate(0, 64, NULL, &one));
  show("new NULL", migrate(0, 64, &one, NULL));
  show("no room", migrate(0, 0, &one, &one));
  show("32770", migrate(0, 32770, &one, &one));
  show("nobody", migrate(0x7ffffff0, 64, &one, &one));
  show("-1", migrate(-1, 64, &one, &one));
  show("nobody, nodes nowhere", migrate(0x7ffffff0, 64, (void *)8, &one));
  int end, pid = victim(&end);
  show("child", migrate(pid, 64, &one, &one));
  fflush(stdout);
  if (fork() == 0) {
    drop_nice();
    show("without CAP_SYS_NICE, to 1", migrate(0, 64, &one, &two));
    show("without CAP_SYS_NICE, to both", migrate(0, 64, &one, &both));
    show("without CAP_SYS_NICE, to 0", migrate(0, 64, &one, &one));
    show("mbind MOVE_ALL", bind_(base, PG, BIND, &one, 64, 4));
    show("mbind MOVE_ALL and bad", bind_(base + 1, PG, BIND, &one, 64, 4 | 64));
    show("move_pages MOVE_ALL", move(0, 0, NULL, NULL, NULL, 4));
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    show("another's", migrate(pid, 64, &one, &one));
    show("another's, move_pages", move(pid, 0, NULL, NULL, NULL, 2));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  close(end), waitpid(pid, NULL, 0);
  pid = fork();
  if (pid == 0) _exit(0);
  siginfo_t info;
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  show("a zombie", migrate(pid, 64, &one, &one));
  show("a zombie, move_pages", move(pid, 0, NULL, NULL, NULL, 2));
  wait(NULL);
}

static void statuses(const char *what, long r, int *status, int n) {
  printf("%s: ", what);
  if (r < 0) printf("%s,", errno_name(errno));
  else printf("%ld,", r);
  for (int i = 0; i < n; i++) printf(" %d", status[i]);
  puts("");
}
static void moving(void) {
  puts("-- move_pages");
  char *p = base + 400 * PG;
  volatile char c = p[PG];
  p[0] = 1;
  char *shared = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  shared[0] = 1;
  char *none = base + 70 * PG;
  void *pages[40] = {p, p + PG, p + 2 * PG, (void *)8, p + 5, shared, shared + PG, none, (void *)(1UL << 63), (void *)-1UL};
  int status[40], nodes[40] = {0};
  memset(status, 0x55, sizeof status);
  statuses("asked", move(0, 10, pages, NULL, status, 0), status, 11);
  memset(status, 0x55, sizeof status);
  statuses("moved", move(0, 10, pages, nodes, status, 2), status, 11);
  statuses("moved all", move(0, 10, pages, nodes, status, 4), status, 11);
  for (int bit = 0; bit < 32; bit++) {
    long r = move(0, 1, pages, nodes, status, 1 << bit);
    if (r == 0) printf("flag %d: 0\n", bit);
    else if (errno != EINVAL) printf("flag %d: %s\n", bit, errno_name(errno));
  }
  show("no flags", move(0, 1, pages, nodes, status, 0));
  show("none", move(0, 0, pages, nodes, status, 0));
  show("none, NULL", move(0, 0, NULL, NULL, NULL, 0));
  show("pages nowhere", move(0, 1, (void *)8, NULL, status, 0));
  show("nodes nowhere", move(0, 1, pages, (void *)8, status, 0));
  show("status nowhere", move(0, 1, pages, NULL, (void *)8, 0));
  show("status nowhere, moved", move(0, 1, pages, nodes, (void *)8, 0));
  nodes[2] = 1;
  memset(status, 0x55, sizeof status);
  statuses("the third to node 1", move(0, 4, pages, nodes, status, 2), status, 4);
  nodes[2] = -1;
  memset(status, 0x55, sizeof status);
  statuses("the third to node -1", move(0, 4, pages, nodes, status, 2), status, 4);
  nodes[2] = 4;
  statuses("the third to node 4", move(0, 4, pages, nodes, status, 2), status, 4);
  nodes[2] = 0;
  /* The vectors end at the end of what is mapped. */
  char *edge = mmap(NULL, 2 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(edge + PG, PG);
  void **few = (void **)(edge + PG - 20 * 8);
  for (int i = 0; i < 20; i++) few[i] = p;
  memset(status, 0x55, sizeof status);
  statuses("24 of 20", move(0, 24, few, NULL, status, 0), status, 24);
  memset(status, 0x55, sizeof status);
  statuses("24 of 20, moved", move(0, 24, few, nodes, status, 2), status, 24);
  int *room = (int *)(edge + PG - 20 * 4);
  for (int i = 0; i < 40; i++) pages[i] = p;
  memset(room, 0x55, 80);
  statuses("room for 20 of 24", move(0, 24, pages, NULL, room, 0), room, 20);
  memset(room, 0x55, 80);
  statuses("room for 20 of 24, moved", move(0, 24, pages, nodes, room, 2), room, 20);
  show("2^60", move(0, 1UL << 60, few, NULL, room, 0));
  show("nobody", move(0x7ffffff0, 1, pages, NULL, status, 0));
  show("-1", move(-1, 1, pages, NULL, status, 0));
  int end, pid = victim(&end);
  pages[0] = p, pages[1] = p + 2 * PG;
  statuses("child's", move(pid, 2, pages, NULL, status, 0), status, 2);
  statuses("child's, moved", move(pid, 2, pages, nodes, status, 2), status, 2);
  close(end), wait(NULL);
  (void)c;
}

int main(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
  base = mmap(NULL, 500 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mmap(base + 70 * PG, PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  memset(base + 200 * PG, 1, PG);
  reading(), fflush(stdout);
  setting(), fflush(stdout);
  inheriting(), fflush(stdout);
  binding(), fflush(stdout);
  homes(), fflush(stdout);
  migrating(), fflush(stdout);
  moving(), fflush(stdout);
  return 0;
}
