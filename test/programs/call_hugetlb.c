/* Huge pages of a pool that is empty: MAP_HUGETLB, MFD_HUGETLB and SHM_HUGETLB. What is refused at once, and what memory without
 * reserve (MAP_NORESERVE) is like that has a place, but no page. */
#include "call.h"
#include <sys/ioctl.h>
#include <sys/shm.h>

#define HUGE 0x40000
#define MB2 (1UL << 21)
#define H(n) ((n) * 512L)
#define ANON (MAP_PRIVATE | MAP_ANONYMOUS | HUGE | MAP_NORESERVE)

static siginfo_t last;
static sigjmp_buf back;
static void handler(int sig, siginfo_t *info, void *context) { last = *info; siglongjmp(back, sig); }

static void bus(const char *what, volatile char *p, int write) {
  struct sigaction sa = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGBUS, &sa, NULL), sigaction(SIGSEGV, &sa, NULL);
  int sig = sigsetjmp(back, 1);
  if (!sig) { if (write) *p = 1; else (void)*p; }
  printf("%s: signal %d", what, sig);
  if (sig) printf(", code %d, at %ld", last.si_code, (long)((char *)last.si_addr - (char *)p));
  puts("");
}

static void smaps(const char *what, char *at) {
  unsigned long address = (unsigned long)at;
  int here = 0;
  printf("%s:", what);
  for (char *line = strtok(text_of("/proc/self/smaps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long s, e;
    if (sscanf(line, "%lx-%lx ", &s, &e) == 2 && strchr(line, '-') < strchr(line, ' ')) here = s <= address && address < e;
    if (!here) continue;
    if (!strncmp(line, "VmFlags", 7) || !strncmp(line, "Size", 4) || strstr(line, "PageSize") || !strncmp(line, "Rss", 3)) {
      char name[32]; int n = 0;
      sscanf(line, "%31s %n", name, &n);
      printf(" %s %s,", name, line + n);
    }
  }
  puts("");
}

/* What /proc/self/numa_maps and PROCMAP_QUERY say of it. */
static void told(char *at) {
  struct { uint64_t size, flags, address, start, end, rights, page, offset, inode; uint32_t major, minor, name_size, id_size; uint64_t name, id; } query = {
    .size = sizeof query, .address = (uint64_t)at};
  long r = ioctl(open("/proc/self/maps", O_RDONLY), 0xc0686611, &query);
  printf("query %ld: pages of %ld, %ld to %ld\n", r, (long)query.page, (long)(query.start - query.address), (long)(query.end - query.address));
  for (char *line = strtok(text_of("/proc/self/numa_maps"), "\n"); line; line = strtok(NULL, "\n"))
    if (strtoul(line, NULL, 16) == (unsigned long)at) puts(line);
}

static void refused(void) {
  map(0, 2048, RW, PRIV);
  AT(600)[0] = 'x';
  at("fixed", mmap(AT(512), PG, RW, PRIV | HUGE | MAP_FIXED, -1, 0));
  maps("what it took", 2048);
  at("noreplace", mmap(AT(0), PG, RW, PRIV | HUGE | MAP_FIXED_NOREPLACE, -1, 0));
  at("shared fixed", mmap(AT(1024), MB2 + 1, RW, SHAR | HUGE | MAP_FIXED, -1, 0));
  maps("what it took", 2048);
  at("unaligned fixed", mmap(AT(1), PG, RW, PRIV | HUGE | MAP_FIXED, -1, 0));
  at("bad type fixed", mmap(AT(0), PG, RW, MAP_ANONYMOUS | HUGE | MAP_FIXED, -1, 0));
  at("droppable fixed", mmap(AT(0), PG, RW, 8 | MAP_ANONYMOUS | HUGE | MAP_FIXED, -1, 0));
  at("growsdown", mmap(AT(0), PG, RW, PRIV | HUGE | MAP_FIXED | MAP_GROWSDOWN, -1, 0));
  maps("left", 2048);
  munmap(AT(0), 2048 * PG);
  static const int shifts[] = {0, 1, 12, 16, 20, 21, 22, 25, 29, 30, 34, 63};
  for (unsigned i = 0; i < sizeof shifts / sizeof *shifts; i++) {
    char text[40];
    sprintf(text, "size 2^%d", shifts[i]), at(text, mmap(NULL, PG, RW, PRIV | HUGE | (unsigned)shifts[i] << 26, -1, 0));
    sprintf(text, "size 2^%d, noreserve", shifts[i]);
    char *p = mmap(NULL, PG, RW, ANON | (unsigned)shifts[i] << 26, -1, 0);
    at(text, p);
    if (p != MAP_FAILED) printf("aligned %d, munmap %d\n", __builtin_ctzl((unsigned long)p) >= (shifts[i] ? shifts[i] : 21), munmap(p, 1UL << (shifts[i] ? shifts[i] : 21)));
  }
  at("length 0", mmap(NULL, 0, RW, ANON, -1, 0));
  at("too long", mmap(NULL, END, RW, ANON, -1, 0));
  at("-1", mmap(NULL, -1, RW, ANON, -1, 0));
  at("-2 MiB", mmap(NULL, -MB2, RW, ANON, -1, 0));
  at("offset", mmap(NULL, PG, RW, ANON, -1, PG));
  at("offset of 2 MiB", mmap(AT(H(4)), PG, RW, ANON | MAP_FIXED, -1, MB2));
  maps("offset", 4096);
  munmap(AT(0), 4096 * PG);
}

static void mapped(void) {
  at("a page", mmap(AT(H(1)), PG, RW, ANON | MAP_FIXED, -1, 0));
  maps("two megabytes", 2048), smaps("smaps", AT(H(1)));
  told(AT(H(1)));
  bus("read", AT(H(1)), 0), bus("write", AT(H(1)) + 4097, 1);
  bus("beside", AT(H(2)), 1);
  is("munmap of a page", munmap(AT(H(1)), PG));
  is("munmap of its second page", munmap(AT(H(1) + 1), PG));
  is("munmap to its middle", munmap(AT(H(0)), 3 * MB2 / 2));
  is("mprotect of a page", mprotect(AT(H(1)), PG, PROT_READ));
  is("madvise of a page", madvise(AT(H(1)), PG, MADV_DONTFORK));
  is("dontneed of a page", madvise(AT(H(1)), PG, MADV_DONTNEED));
  is("dontneed of its second page", madvise(AT(H(1) + 1), PG, MADV_DONTNEED));
  is("mlock of a page", mlock(AT(H(1)), PG));
  maps("as it was", 2048);
  is("mprotect", mprotect(AT(H(1)), MB2, PROT_READ));
  maps("read-only", 2048);
  bus("write", AT(H(1)), 1), bus("read", AT(H(1)), 0);
  is("munmap", munmap(AT(H(1)), MB2));
  char *p = mmap(AT(H(0)), 3 * MB2, RW, ANON | MAP_FIXED, -1, 0);
  at("three", p);
  is("munmap the middle", munmap(AT(H(1)), MB2));
  is("munmap less than the rest", munmap(AT(H(2)), MB2 - PG));
  maps("two", 2048);
  at("over a part", mmap(AT(H(2) + 1), PG, RW, PRIV | MAP_FIXED, -1, 0));
  at("over its start", mmap(AT(H(2)), PG, RW, PRIV | MAP_FIXED, -1, 0));
  maps("over", 2048);
  at("noreplace", mmap(AT(H(0)), PG, RW, ANON | MAP_FIXED_NOREPLACE, -1, 0));
  at("a hint", mmap(AT(H(4)) + 5, PG, RW, ANON, -1, 0));
  at("an unaligned hint", mmap(AT(H(5) + 1), PG, RW, ANON, -1, 0));
  at("a taken hint", mmap(AT(H(4)), PG, RW, ANON, -1, 0) == AT(H(4)) ? AT(H(4)) : NULL);
  maps("hints", 8192);
  clear(8192);
  p = mmap(NULL, PG, RW, ANON, -1, 0);
  printf("anywhere: %lx\n", (unsigned long)p % MB2);
  is("munmap", munmap(p, MB2));
  at("merged", mmap(AT(H(0)), MB2, RW, ANON | MAP_FIXED, -1, 0)), at("merged", mmap(AT(H(1)), MB2, RW, ANON | MAP_FIXED, -1, 0));
  maps("neighbours", 2048);
  clear(2048);
}

static void calls(void) {
  static const int advices[] = {0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25};
  mmap(AT(H(0)), 2 * MB2, RW, ANON | MAP_FIXED, -1, 0);
  for (unsigned i = 0; i < sizeof advices / sizeof *advices; i++) {
    char text[32];
    sprintf(text, "madvise %d", advices[i]), is(text, madvise(AT(H(0)), MB2, advices[i]));
  }
  maps("cut", 2048), smaps("smaps", AT(0));
  clear(2048);
  mmap(AT(H(0)), 2 * MB2, RW, ANON | MAP_FIXED, -1, 0);
  is("mlock", mlock(AT(0), MB2));
  printf("locked %ld\n", status("VmLck:"));
  is("munlock", munlock(AT(0), 2 * MB2));
  unsigned char vec[1024];
  memset(vec, 9, sizeof vec);
  is("mincore", mincore(AT(0), 2 * MB2, vec));
  printf("%d %d\n", vec[0], vec[1023]);
  is("msync", msync(AT(0), MB2, MS_SYNC));
  at("mremap in place", mremap(AT(0), 2 * MB2, MB2, 0));
  at("mremap larger", mremap(AT(0), MB2, 2 * MB2, 0));
  at("mremap elsewhere", mremap(AT(0), MB2, MB2, MREMAP_MAYMOVE | MREMAP_FIXED, AT(H(3))));
  at("mremap unaligned", mremap(AT(H(3)), MB2, MB2, MREMAP_MAYMOVE | MREMAP_FIXED, AT(H(4) + 1)));
  at("mremap of a page", mremap(AT(H(3)), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(H(5))));
  maps("then", 4096);
  at("dontunmap", mremap(AT(H(5)), MB2, MB2, MREMAP_MAYMOVE | MREMAP_DONTUNMAP));
  at("old size 0", mremap(AT(H(5)), 0, MB2, MREMAP_MAYMOVE));
  clear(4096);
  mmap(AT(H(0)), MB2, RW, ANON | MAP_FIXED, -1, 0);
  is("read into it", read(open("/proc/self/maps", O_RDONLY), AT(0), 10));
  is("write from it", write(1, AT(0), 10));
  at("populate", mmap(AT(H(2)), MB2, RW, ANON | MAP_FIXED | MAP_POPULATE, -1, 0));
  at("locked", mmap(AT(H(3)), MB2, RW, ANON | MAP_FIXED | MAP_LOCKED, -1, 0));
  at("shared", mmap(AT(H(4)), MB2, RW, SHAR | HUGE | MAP_NORESERVE | MAP_FIXED, -1, 0));
  at("validated", mmap(AT(H(5)), MB2, RW, 3 | MAP_ANONYMOUS | HUGE | MAP_NORESERVE | MAP_FIXED, -1, 0));
  at("none", mmap(AT(H(6)), MB2, PROT_NONE, PRIV | HUGE | MAP_FIXED, -1, 0));
  at("read-only", mmap(AT(H(6)), MB2, PROT_READ, PRIV | HUGE | MAP_FIXED, -1, 0));
  maps("kinds", 4096);
  smaps("shared", AT(H(4)));
  bus("shared", AT(H(4)), 1);
  clear(4096);
}

static void in_child_too(void) {
  maps("child", 2048);
  bus("child", AT(0), 1);
}

static void files(void) {
  int fd = memfd_create("huge", 4);
  is("memfd", fd >= 0 ? 0 : -1);
  at("no size", mmap(AT(0), PG, RW, MAP_SHARED | MAP_FIXED, fd, 0));
  is("size of a page", ftruncate(fd, PG));
  is("size", ftruncate(fd, 2 * MB2));
  at("shared", mmap(AT(0), PG, RW, MAP_SHARED | MAP_FIXED, fd, 0));
  at("private", mmap(AT(0), PG, RW, MAP_PRIVATE | MAP_FIXED, fd, 0));
  at("noreserve", mmap(AT(0), PG, RW, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0));
  at("private noreserve", mmap(AT(H(1)), PG, RW, MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE, fd, MB2));
  at("offset of a page", mmap(AT(H(2)), PG, RW, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, PG));
  at("MAP_HUGETLB of it", mmap(AT(H(2)), PG, RW, MAP_SHARED | MAP_FIXED | MAP_NORESERVE | HUGE, fd, 0));
  at("beyond its end", mmap(AT(H(3)), PG, RW, MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 8 * MB2));
  maps("files", 4096), smaps("smaps", AT(0));
  bus("read", AT(0), 0), bus("private", AT(H(1)), 1), bus("beyond", AT(H(3)), 1);
  char byte = 1;
  is("write", write(fd, &byte, 1));
  is("pread", pread(fd, &byte, 1, 0));
  printf("%d\n", byte);
  is("grown by its mapping", lseek(fd, 0, SEEK_END));
  is("fallocate", fallocate(fd, 0, 0, MB2));
  is("punch", fallocate(fd, 3, 0, MB2));
  is("shrink", ftruncate(fd, 0));
  bus("read", AT(0), 0);
  clear(4096);
  close(fd);
  static const unsigned more[] = {4 | 21u << 26, 4 | 16u << 26, 4 | 30u << 26, 4 | 20u << 26, 21u << 26, 4 | 2};
  for (unsigned i = 0; i < sizeof more / sizeof *more; i++) {
    fd = memfd_create("huge", more[i]);
    printf("flags %x: %s\n", more[i], fd < 0 ? errno_name(errno) : "ok");
    close(fd);
  }
}

static void segments(void) {
  static const unsigned flags[] = {04000, 04000 | 010000, 04000 | 21u << 26, 04000 | 010000 | 21u << 26, 04000 | 010000 | 16u << 26, 04000 | 010000 | 20u << 26};
  for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
    int id = shmget(IPC_PRIVATE, PG, 0600 | flags[i]);
    printf("shmget %o: %s\n", flags[i], id < 0 ? errno_name(errno) : "ok");
    if (id < 0) continue;
    struct shmid_ds about;
    shmctl(id, IPC_STAT, &about);
    printf("size %ld, mode %o\n", (long)about.shm_segsz, about.shm_perm.mode);
    at("shmat", shmat(id, AT(H(1)), 0));
    at("shmat, unaligned", shmat(id, AT(H(2) + 1), 0));
    at("shmat, rounded", shmat(id, AT(H(2) + 1), SHM_RND));
    char *p = shmat(id, NULL, 0);
    printf("shmat anywhere: %s\n", p == MAP_FAILED ? errno_name(errno) : (unsigned long)p % MB2 ? "unaligned" : "aligned");
    if (p != MAP_FAILED) shmdt(p);
    maps("segment", 2048);
    if (i == 1) bus("read", AT(H(1)), 0), smaps("smaps", AT(H(1)));
    is("shmdt", shmdt(AT(H(1))));
    shmctl(id, IPC_RMID, NULL);
    clear(2048);
  }
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  text_of("/proc/self/smaps");
  printf("pool: %ld free %ld, %s", meminfo("HugePages_Total:"), meminfo("HugePages_Free:"), text_of("/proc/sys/vm/nr_hugepages"));
  refused();
  mapped();
  calls();
  mmap(AT(0), MB2, RW, ANON | MAP_FIXED, -1, 0);
  in_child(in_child_too);
  clear(512);
  files();
  segments();
  return 0;
}
