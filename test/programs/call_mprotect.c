/* mprotect(2): every protection of every kind of mapping, what may be done with the pages afterwards, each error, what is done before
 * it, how mappings are cut and joined, and what counts as promised, data and resident. Addresses and lengths at the edges are call_munmap.c's. */
#include "call.h"
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/shm.h>

static int file_of(const char *name, int flags, int mode) {
  int fd = open(name, flags | O_CREAT, mode);
  if (fd >= 0 && (flags & O_ACCMODE) != O_RDONLY) { if (ftruncate(fd, 16 * PG)) puts("cannot ftruncate"); pwrite(fd, "file", 4, 0); }
  return fd;
}

static int rdwr, rdonly, secret, sealed;
static const char *rights(int prot) {
  static char text[4];
  text[0] = prot & 1 ? 'r' : '-', text[1] = prot & 2 ? 'w' : '-', text[2] = prot & 4 ? 'x' : '-', text[3] = 0;
  return text;
}

struct kind { const char *name; int flags, prot, *fd; };
static const struct kind KINDS[] = {
  {"private", PRIV, RW, NULL}, {"private, none", PRIV, PROT_NONE, NULL}, {"shared", SHAR, RW, NULL}, {"droppable", 8 | MAP_ANONYMOUS, RW, NULL},
  {"grows down", PRIV | MAP_GROWSDOWN, RW, NULL}, {"no reserve", PRIV | MAP_NORESERVE, PROT_READ, NULL},
  {"private file", MAP_PRIVATE, RW, &rdwr}, {"shared file", MAP_SHARED, RW, &rdwr}, {"shared file, read", MAP_SHARED, PROT_READ, &rdwr},
  {"private file open for reading", MAP_PRIVATE, PROT_READ, &rdonly}, {"shared file open for reading", MAP_SHARED, PROT_READ, &rdonly},
  {"sealed file", MAP_SHARED, PROT_READ, &sealed}, {"private sealed file", MAP_PRIVATE, PROT_READ, &sealed}, {"secret", MAP_SHARED, RW, &secret},
};

/* All eight protections in turn, and what a load and a store say then. */
static void kinds(void) {
  for (unsigned k = 0; k < sizeof KINDS / sizeof *KINDS; k++) {
    const struct kind *one = KINDS + k;
    clear(16);
    void *p = mmap(AT(4), 4 * PG, one->prot, one->flags | MAP_FIXED, one->fd ? *one->fd : -1, 0);
    printf("%s:", one->name);
    if (p == MAP_FAILED) { printf(" %s\n", errno_name(errno)); continue; }
    for (int prot = 0; prot < 16; prot++) {
      int r = mprotect(AT(4), PG, prot);
      printf(" %s%s %s", rights(prot), prot & 8 ? "+" : "", r ? errno_name(errno) : "");
      if (!r) { printf("%s/", touch(AT(4), 0)); printf("%s", touch(AT(4), 1)); }
    }
    puts("");
    maps("  then", 16);
  }
  clear(16);
}

/* Neighbours become one when they are alike again, by pages that they have or have not. */
static void cut_and_join(void) {
  map(0, 12, RW, PRIV);
  mprotect(AT(3), PG, PROT_READ), maps("one in the middle", 16);
  mprotect(AT(5), PG, PROT_READ), mprotect(AT(4), PG, PROT_READ), maps("three", 16);
  mprotect(AT(0), 12 * PG, PROT_READ), maps("all", 16);
  *AT(0) = 0;
}
static void join_with_pages(void) {
  map(0, 4, RW, PRIV), *AT(0) = 1;
  map(4, 4, PROT_READ, PRIV);
  mprotect(AT(4), 4 * PG, RW), *AT(4) = 1, maps("beside one with pages", 16);
  map(8, 4, PROT_READ, PRIV), mprotect(AT(8), PG, RW), maps("a part of the next", 16);
  mprotect(AT(0), 8 * PG, PROT_READ), mprotect(AT(8), PG, PROT_READ), maps("all for reading", 16);
  fflush(stdout);
}

/* Each error, and what has changed already. */
static void errors(void) {
  map(0, 4, RW, PRIV), map(6, 2, RW, PRIV);
  mmap(AT(4), 2 * PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdonly, 0);
  is("EACCES after four", mprotect(AT(2), 5 * PG, RW | PROT_EXEC)), maps("left", 16);
  is("a hole after eight", mprotect(AT(6), 4 * PG, PROT_READ)), maps("left", 16);
  is("sealed", syscall(462, AT(6), PG, 0));
  is("EPERM", mprotect(AT(6), PG, PROT_NONE)), is("the same as it is", mprotect(AT(6), PG, PROT_READ));
  is("sealed in the middle", mprotect(AT(2), 6 * PG, PROT_READ)), maps("left", 16);
  is("bits that are none", mprotect(AT(0), PG, 16)), is("and no bytes", mprotect(AT(0), 0, 16)), is("unaligned, no bytes", mprotect(AT(0) + 1, 0, RW));
  is("grows both ways", mprotect(AT(0), PG, RW | PROT_GROWSDOWN | PROT_GROWSUP)), is("no bytes in a hole", mprotect(AT(40), 0, RW));
  is("wraps", mprotect(AT(0), -PG, RW)), is("wraps to 0", mprotect(AT(0), -1UL, RW));
}

/* Where [vvar] or [vdso] is. */
static char *kernel_pages(const char *name, unsigned long *pages) {
  unsigned long start = 0, end = 0;
  for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n"))
    if (strstr(line, name)) sscanf(line, "%lx-%lx", &start, &end);
  *pages = (end - start) / PG;
  return (char *)start;
}

/* The kernel's own pages, which are never cut. */
static void of_the_kernel(void) {
  static const char *const NAMES[] = {"[vvar]", "[vdso]"};
  for (int i = 0; i < 2; i++) {
    unsigned long pages;
    char *start = kernel_pages(NAMES[i], &pages);
    for (unsigned long n = 1; n <= pages; n++)
      for (int prot = 0; prot < 8; prot++) {
        int r = syscall(SYS_mprotect, start, n * PG, prot);
        printf("%s %lu of %lu %s: %s, ", NAMES[i], n, pages, rights(prot), r ? errno_name(errno) : "0");
        printf("%s\n", touch(start, 0));
        mprotect(start, pages * PG, i ? PROT_READ | PROT_EXEC : PROT_READ);
      }
  }
  unsigned long pages;
  char *vvar = kernel_pages("[vvar]", &pages);
  char *vdso = kernel_pages("[vdso]", &pages);
  is("dontfork, a part", madvise(vvar, PG, MADV_DONTFORK)), is("dontdump, a part", madvise(vvar + PG, PG, MADV_DONTDUMP));
  is("mlock, a part", mlock(vvar, PG)), is("mseal, a part", syscall(462, vvar, PG, 0));
  is("munmap, the lower part", munmap(vvar, PG)), is("the upper part", munmap(vvar + PG, PG)), is("the upper part and [vdso]", munmap(vvar + PG, 2 * PG));
  is("from below", munmap(vvar - 2 * PG, 3 * PG));
  at("over the lower part", mmap(vvar, PG, RW, PRIV | MAP_FIXED, -1, 0)), at("over the upper part", mmap(vvar + PG, 2 * PG, RW, PRIV | MAP_FIXED, -1, 0));
  at("mremap, a part", mremap(vvar, PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(10))), at("larger", mremap(vvar, 2 * PG, 3 * PG, MREMAP_MAYMOVE));
  at("to a part of it", mremap(map(20, 1, RW, PRIV), PG, PG, MREMAP_MAYMOVE | MREMAP_FIXED, vvar));
  printf("both are there: %d %d\n", kernel_pages("[vvar]", &pages) == vvar && pages == 2, kernel_pages("[vdso]", &pages) == vdso);
  at("mremap, whole", mremap(vvar, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(10))), maps("left", 16);
  is("munmap, whole", munmap(AT(10), 2 * PG)), maps("left", 16);
}

/* What may be written counts as data and as promised, from when it may. */
static void counts(void) {
  long data = status("VmData"), promised = meminfo("Committed_AS");
  map(0, 2000, PROT_READ, PRIV);
  printf("readable: data %ld, promised %d\n", status("VmData") - data, meminfo("Committed_AS") - promised > 7000);
  is("writable", mprotect(AT(0), 2000 * PG, RW));
  printf("data %ld, promised %d\n", status("VmData") - data, meminfo("Committed_AS") - promised > 7000);
  is("readable again", mprotect(AT(0), 2000 * PG, PROT_READ));
  printf("data %ld, promised %d\n", status("VmData") - data, meminfo("Committed_AS") - promised > 7000);
  is("unmapped", munmap(AT(0), 2000 * PG));
  printf("promised %d\n", meminfo("Committed_AS") - promised > 7000);
  struct rlimit limit = {(status("VmData") + 40) << 10, RLIM_INFINITY};
  map(0, 20, PROT_READ, PRIV);
  setrlimit(RLIMIT_DATA, &limit);
  is("more than RLIMIT_DATA", mprotect(AT(0), 20 * PG, RW)), is("within it", mprotect(AT(0), 5 * PG, RW));
  is("shared", mmap(AT(30), 20 * PG, PROT_READ, SHAR | MAP_FIXED, -1, 0) == MAP_FAILED), is("is no data", mprotect(AT(30), 20 * PG, RW));
  maps("left", 60);
}

static void too_many(void) {
  int before = 0;
  for (char *c = text_of("/proc/self/maps"); *c; c++) before += *c == '\n';
  map(0, 12, RW, PRIV);
  char text[32];
  snprintf(text, sizeof text, "%d", before + 2);
  is("max_map_count", put("/proc/sys/vm/max_map_count", text) > 0);
  is("two more", mprotect(AT(4), PG, PROT_READ)), maps("left", 16);
  is("one more", mprotect(AT(8), 4 * PG, PROT_READ)), maps("left", 16);
  is("none", mprotect(AT(0), 12 * PG, PROT_READ)), maps("left", 16);
  put("/proc/sys/vm/max_map_count", "65530");
}

/* Pages that are there stay, whatever may be done with them; those of a fork stay apart. */
static void contents(void) {
  map(0, 4, RW, PRIV), strcpy(AT(1), "mine");
  mprotect(AT(0), 4 * PG, PROT_NONE);
  printf("resident %ld KiB, ", status("RssAnon") > 0);
  mprotect(AT(0), 4 * PG, PROT_READ), printf("%s\n", AT(1));
  fflush(stdout);
  if (fork() == 0) {
    mprotect(AT(0), 4 * PG, RW), strcpy(AT(1), "child's");
    printf("%s\n", AT(1)), fflush(stdout), _exit(0);
  }
  wait(NULL);
  printf("%s\n", AT(1));
  mmap(AT(8), 2 * PG, RW, MAP_PRIVATE | MAP_FIXED, rdwr, 0), memcpy(AT(8), "copy", 4);
  mprotect(AT(8), PG, PROT_READ), pwrite(rdwr, "FILE", 4, 0), printf("%.4s %.4s\n", AT(8), (char *)mmap(AT(12), PG, PROT_READ, MAP_SHARED | MAP_FIXED, rdwr, 0));
  int id = shmget(IPC_PRIVATE, 2 * PG, 0600);
  char *attached = shmat(id, AT(16), SHM_RDONLY);
  shmctl(id, IPC_RMID, NULL);
  is("attached for reading: write", mprotect(attached, PG, RW)), maps("left", 24);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  rdwr = file_of("/tmp/rdwr", O_RDWR, 0600), file_of("/tmp/rdonly", O_RDWR, 0600), rdonly = open("/tmp/rdonly", O_RDONLY);
  sealed = memfd_create("sealed", MFD_ALLOW_SEALING), secret = syscall(447, 0);
  if (ftruncate(sealed, 4 * PG) || fcntl(sealed, F_ADD_SEALS, F_SEAL_WRITE)) puts("cannot seal");
  if (secret >= 0 && ftruncate(secret, 4 * PG)) puts("cannot ftruncate");
  in_child(kinds), in_child(cut_and_join), in_child(join_with_pages), in_child(errors), in_child(of_the_kernel);
  in_child(counts), in_child(too_many), in_child(contents);
  return 0;
}
