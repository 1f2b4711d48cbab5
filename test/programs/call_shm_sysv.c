/* shmget, shmat, shmdt, shmctl: flags, errors, what fork, exec and exit do, /proc/sysvipc/shm, names in maps, limits. */
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096L
#define KEY 0x5041474f
static sigjmp_buf back;

static void caught(int signal, siginfo_t *info, void *context) {
  printf("[%d code %d] ", signal, info->si_code);
  siglongjmp(back, 1);
}
static void store(const char *what, volatile char *p) {
  printf("%s: ", what);
  if (sigsetjmp(back, 1) == 0) *p = 1, puts("ok");
  else puts("");
}
static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static void did(const char *what, long r) { printf("%s: %s\n", what, r == -1 ? errno_name(errno) : "ok"); }
static char *attach(const char *what, int id, void *at, int flags) {
  char *p = (char *)syscall(SYS_shmat, id, at, flags);
  if ((long)p == -1) printf("%s: %s\n", what, errno_name(errno));
  else if (at) printf("%s: %ld from the address\n", what, (long)(p - (char *)at));
  else printf("%s: attached\n", what);
  return p;
}
static void show(const char *what, int id) {
  struct shmid_ds d;
  long r = syscall(SYS_shmctl, id, IPC_STAT, &d);
  if (r) { did(what, r); return; }
  printf("%s: key %x mode %o uid %d gid %d cuid %d cgid %d segsz %ld nattch %ld cpid %d lpid %d times %d%d%d\n", what, d.shm_perm.__key, d.shm_perm.mode,
         d.shm_perm.uid, d.shm_perm.gid, d.shm_perm.cuid, d.shm_perm.cgid, (long)d.shm_segsz, (long)d.shm_nattch, d.shm_cpid == getpid(),
         d.shm_lpid == getpid() ? 1 : d.shm_lpid == 0 ? 0 : 2, d.shm_atime != 0, d.shm_dtime != 0, d.shm_ctime != 0);
}
static void maps(void) {
  FILE *f = fopen("/proc/self/maps", "r");
  char line[600];
  while (fgets(line, sizeof line, f)) {
    char *name = strstr(line, "/SYSV");
    unsigned long start, end;
    sscanf(line, "%lx-%lx", &start, &end);
    if (name) printf("  %.4s %.8s %lx %s", strchr(line, ' ') + 1, strchr(line, ' ') + 6, (end - start) / PG, name);
  }
  fclose(f);
}
static void table(void) {
  FILE *f = fopen("/proc/sysvipc/shm", "r");
  char line[400];
  if (!f) { puts("no /proc/sysvipc/shm"); return; }
  while (fgets(line, sizeof line, f)) {
    int key, id;
    unsigned perms;
    unsigned long size;
    int cpid, lpid;
    if (sscanf(line, "%d %d %o %lu %d %d", &key, &id, &perms, &size, &cpid, &lpid) != 6) { printf("  %s", line); continue; }
    /* Numbers of processes and times differ: they are blanked where they stand. Of the id, the index counts. */
    char index[16];
    snprintf(index, 16, "%10d", id & 32767);
    memcpy(line + 11, index, 10);
    for (int i = 50; i < 61; i++) if (line[i] >= '0' && line[i] <= '9') line[i] = ' ';
    for (int i = 93; i < 126; i++) if (line[i] >= '0' && line[i] <= '9') line[i] = 't';
    printf("  %zu:%s", strlen(line), line);
  }
  fclose(f);
}
static void setting(const char *path, const char *value) {
  int fd = open(path, O_RDWR);
  char text[64] = "";
  if (value) is(path, write(fd, value, strlen(value)));
  lseek(fd, 0, SEEK_SET);
  read(fd, text, 63);
  printf("%s %s", path, text);
  close(fd);
}

static void creation(void) {
  is("zero bytes", shmget(IPC_PRIVATE, 0, 0600));
  is("too large", shmget(IPC_PRIVATE, -1, 0600));
  is("not there", shmget(KEY, PG, 0600));
  int id = shmget(KEY, PG + 1, IPC_CREAT | 0640);
  did("created", id);
  printf("the same %d %d %d\n", shmget(KEY, 0, 0) == id, shmget(KEY, PG + 1, IPC_CREAT | 0777) == id, shmget(KEY, 1, 0600) == id);
  is("exclusive", shmget(KEY, PG, IPC_CREAT | IPC_EXCL | 0600));
  is("larger", shmget(KEY, 2 * PG, 0600));
  is("larger, last page", shmget(KEY, PG + 2, 0600));
  printf("private differs %d\n", shmget(IPC_PRIVATE, PG, 0600) != id);
  did("no mode", shmget(IPC_PRIVATE, PG, 0));
  did("odd flags", shmget(IPC_PRIVATE, PG, 0600 | 010000000));
  is("huge", shmget(IPC_PRIVATE, 2 << 20, 0600 | SHM_HUGETLB));
  did("no reserve", shmget(IPC_PRIVATE, 1L << 32, 0600 | SHM_NORESERVE));
  is("more than memory", shmget(IPC_PRIVATE, 1L << 45, 0600));
  show("stat", id);
  table();
}

static void attaching(int id) {
  char *p = attach("anywhere", id, NULL, 0), *q;
  printf("aligned %ld\n", (long)p % PG);
  maps();
  p[0] = 'a', p[PG + PG - 1] = 'z';
  show("stat", id);
  char *area = mmap(NULL, 16 * PG, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  munmap(area, 8 * PG);
  q = attach("at an address", id, area, 0);
  printf("%c%c\n", q[0], q[PG + PG - 1]);
  attach("at a taken address", id, area, 0);
  attach("half over a taken one", id, area + 7 * PG, 0);
  attach("unaligned", id, area + 4 * PG + 8, 0);
  attach("rounded", id, area + 4 * PG + 8, SHM_RND);
  attach("rounded to nothing", id, (void *)8, SHM_RND);
  attach("remap", id, area + 8 * PG, SHM_REMAP);
  attach("remap anywhere", id, NULL, SHM_REMAP);
  attach("remap over", id, area + 8 * PG, SHM_REMAP | SHM_RDONLY);
  attach("too high", id, (void *)(1L << 40), 0);
  attach("wraps", id, (void *)-PG, 0);
  attach("bad id", 12345678, NULL, 0);
  attach("negative id", -1, NULL, 0);
  char *ro = attach("read only", id, NULL, SHM_RDONLY), *x = attach("executable", id, NULL, SHM_EXEC | SHM_RDONLY);
  attach("unknown flags", id, NULL, 0777);
  store("store to a read only one", ro);
  did("mprotect up", mprotect(ro, PG, PROT_READ | PROT_WRITE));
  store("now", ro);
  did("mprotect exec", mprotect(ro, PG, PROT_READ | PROT_EXEC));
  maps();
  show("stat", id);
  is("detach inside", shmdt(p + PG));
  is("detach unaligned", shmdt(p + 1));
  is("detach nothing there", shmdt(area + 12 * PG));
  is("detach null", shmdt(NULL));
  is("detach", shmdt(p));
  is("detach again", shmdt(p));
  printf("still %c\n", q[PG + PG - 1]);
  is("unmap a part", munmap(q + PG, PG));
  show("after the part", id);
  is("detach the rest", shmdt(q));
  show("after the rest", id);
  is("unmap all of one", munmap(x, 2 * PG));
  show("after munmap", id);
  p = attach("again", id, NULL, 0);
  is("unmap the first page", munmap(p, PG));
  is("detach by the old address", shmdt(p));
  is("detach by the new address", shmdt(p + PG));
  p = attach("cut", id, NULL, 0);
  mprotect(p, PG, PROT_READ);
  maps();
  is("detach all pieces", shmdt(p));
  p = attach("moved", id, NULL, 0);
  q = mremap(p, 2 * PG, 2 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, area + 12 * PG);
  printf("mremap %d\n", q == area + 12 * PG);
  q = mremap(q, 2 * PG, 4 * PG, MREMAP_MAYMOVE);
  store("past the end", q + 2 * PG);
  is("detach the moved", shmdt(q));
  show("in the end", id);
  maps();
}

static void controlling(int id) {
  struct shmid_ds d;
  struct shminfo info;
  struct shm_info used;
  is("stat bad pointer", syscall(SYS_shmctl, id, IPC_STAT, 8));
  is("stat bad id", shmctl(12345678, IPC_STAT, &d));
  is("stat negative", shmctl(-1, IPC_STAT, &d));
  is("unknown command", shmctl(id, 99, &d));
  is("negative command", shmctl(id, -1, &d));
  is("info", shmctl(0, IPC_INFO, (void *)&info) >= 0);
  printf("max %lu min %lu mni %lu seg %lu all %lu\n", info.shmmax, info.shmmin, info.shmmni, info.shmseg, info.shmall);
  int top = shmctl(0, SHM_INFO, (void *)&used);
  printf("top %d used %d tot %lu rss %lu swp %lu\n", top, used.used_ids, used.shm_tot, used.shm_rss, used.shm_swp);
  is("info bad pointer", syscall(SYS_shmctl, 0, SHM_INFO, 8));
  for (int i = 0; i <= top + 1; i++) {
    int found = shmctl(i, SHM_STAT, &d);
    printf("index %d: %s %ld %lx\n", i, found == -1 ? errno_name(errno) : "id", found == -1 ? 0 : (long)d.shm_segsz, found == -1 ? 0 : (long)d.shm_perm.__key);
    found = shmctl(i, 15, &d);
    printf(" any: %s %ld\n", found == -1 ? errno_name(errno) : "id", found == -1 ? 0 : (long)d.shm_segsz);
  }
  is("index negative", shmctl(-1, SHM_STAT, &d));
  shmctl(id, IPC_STAT, &d);
  d.shm_perm.mode = 0177604;
  d.shm_perm.uid = 7;
  d.shm_perm.gid = 8;
  d.shm_segsz = 1;
  is("set", shmctl(id, IPC_SET, &d));
  show("set", id);
  d.shm_perm.uid = -1;
  is("set bad owner", shmctl(id, IPC_SET, &d));
  is("set bad pointer", syscall(SYS_shmctl, id, IPC_SET, 8));
  is("lock", shmctl(id, SHM_LOCK, NULL));
  show("locked", id);
  is("lock again", shmctl(id, SHM_LOCK, NULL));
  is("unlock", shmctl(id, SHM_UNLOCK, NULL));
  show("unlocked", id);
}

static void as_nobody(int id) {
  struct shmid_ds d;
  int secret = shmget(KEY + 1, PG, IPC_CREAT | 0600), readable = shmget(KEY + 2, PG, IPC_CREAT | 0644), others = shmget(KEY + 3, PG, IPC_CREAT | 0606);
  fflush(stdout);
  if (fork() == 0) {
    setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000);
    is("get secret", shmget(KEY + 1, PG, 0600));
    did("get secret for nothing", shmget(KEY + 1, PG, 0));
    did("get readable", shmget(KEY + 2, PG, 0444));
    is("get readable for writing", shmget(KEY + 2, PG, 0666));
    attach("secret", secret, NULL, SHM_RDONLY);
    attach("readable", readable, NULL, SHM_RDONLY);
    attach("readable to write", readable, NULL, 0);
    attach("readable to execute", readable, NULL, SHM_EXEC | SHM_RDONLY);
    attach("others", others, NULL, 0);
    is("stat secret", shmctl(secret, IPC_STAT, &d));
    is("stat readable", shmctl(readable, IPC_STAT, &d));
    is("set", shmctl(readable, IPC_SET, &d));
    is("remove", shmctl(readable, IPC_RMID, NULL));
    is("lock", shmctl(readable, SHM_LOCK, NULL));
    int top = shmctl(0, SHM_INFO, (void *)&d), denied = 0, any = 0;
    for (int i = 0; i <= top; i++) denied += shmctl(i, SHM_STAT, &d) == -1 && errno == EACCES, any += shmctl(i, 15, &d) != -1;
    printf("denied %d any %d\n", denied, any);
    int own = shmget(KEY + 4, PG, IPC_CREAT | 0400);
    did("own, read only", own);
    attach("own to write", own, NULL, 0);
    is("lock own", shmctl(own, SHM_LOCK, NULL));
    show("own", own);
    is("remove own", shmctl(own, IPC_RMID, NULL));
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  shmctl(secret, IPC_RMID, NULL), shmctl(readable, IPC_RMID, NULL), shmctl(others, IPC_RMID, NULL);
}

static void removal(char *self) {
  int id = shmget(KEY + 9, 3 * PG, IPC_CREAT | 0600);
  char *p = attach("parent", id, NULL, 0);
  p[0] = 'p';
  fflush(stdout);
  if (fork() == 0) {
    printf("child sees %c\n", p[0]);
    p[1] = 'c';
    show("child", id);
    is("remove", shmctl(id, IPC_RMID, NULL));
    show("removed", id);
    is("by key", shmget(KEY + 9, PG, 0));
    is("remove again", shmctl(id, IPC_RMID, NULL));
    attach("attach a removed one", id, NULL, 0);
    maps();
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  printf("parent sees %c\n", p[1]);
  show("after the child's exit", id);
  fflush(stdout);
  if (fork() == 0) {
    char text[16];
    snprintf(text, 16, "%d", id);
    execl(self, self, "again", text, NULL);
    _exit(9);
  }
  wait(NULL);
  show("after exec", id);
  fflush(stdout);
  if (fork() == 0) raise(SIGKILL);
  wait(NULL);
  show("after a kill", id);
  is("detach the last", shmdt(p));
  show("gone", id);
  id = shmget(IPC_PRIVATE, PG, 0600);
  is("remove unattached", shmctl(id, IPC_RMID, NULL));
  show("gone", id);
}

static void limits(void) {
  setting("/proc/sys/kernel/shmmax", NULL);
  setting("/proc/sys/kernel/shmall", NULL);
  setting("/proc/sys/kernel/shmmni", NULL);
  setting("/proc/sys/kernel/shm_rmid_forced", NULL);
  setting("/proc/sys/kernel/shmmax", "8192");
  is("above shmmax", shmget(IPC_PRIVATE, 8193, 0600));
  int id = shmget(IPC_PRIVATE, 8192, 0600);
  did("at shmmax", id);
  shmctl(id, IPC_RMID, NULL);
  setting("/proc/sys/kernel/shmmax", "18446744073692774399");
  struct shm_info used;
  shmctl(0, SHM_INFO, (void *)&used);
  char text[32];
  snprintf(text, 32, "%lu", used.shm_tot + 2);
  int fd = open("/proc/sys/kernel/shmall", O_WRONLY);
  write(fd, text, strlen(text));
  is("above shmall", shmget(IPC_PRIVATE, 3 * PG, 0600));
  id = shmget(IPC_PRIVATE, 2 * PG, 0600);
  did("at shmall", id);
  shmctl(id, IPC_RMID, NULL);
  setting("/proc/sys/kernel/shmall", "18446744073692774399");
  snprintf(text, 32, "%d", used.used_ids + 1);
  fd = open("/proc/sys/kernel/shmmni", O_WRONLY);
  write(fd, text, strlen(text));
  id = shmget(IPC_PRIVATE, PG, 0600);
  did("at shmmni", id);
  is("above shmmni", shmget(IPC_PRIVATE, PG, 0600));
  shmctl(id, IPC_RMID, NULL);
  setting("/proc/sys/kernel/shmmni", "4096");
  setting("/proc/sys/kernel/shmmni", "-1");
  setting("/proc/sys/kernel/shmmni", "40000");
}

static void resident(volatile char *at) {
  unsigned char v[4];
  mincore((void *)at, sizeof v * PG, v);
  printf("  resident %d%d%d%d\n", v[0] & 1, v[1] & 1, v[2] & 1, v[3] & 1);
}

/* Without swap only what was never written can leave. */
static void paging_out(void) {
  int id = shmget(IPC_PRIVATE, 4 * PG, 0600);
  volatile char *at = shmat(id, NULL, 0);
  at[PG] = 1;
  (void)(at[0] + at[2 * PG]);
  is("lock", shmctl(id, SHM_LOCK, NULL));
  is("page out", madvise((void *)at, 4 * PG, MADV_PAGEOUT));
  resident(at);
  is("unlock", shmctl(id, SHM_UNLOCK, NULL));
  is("page out", madvise((void *)at, 4 * PG, MADV_PAGEOUT));
  resident(at);
  shmdt((void *)at);
  shmctl(id, IPC_RMID, NULL);
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[1], "again")) {
    show("in the new program", atoi(argv[2]));
    maps();
    return 0;
  }
  struct sigaction action = {.sa_sigaction = caught, .sa_flags = SA_SIGINFO};
  sigaction(SIGBUS, &action, NULL);
  sigaction(SIGSEGV, &action, NULL);
  /* The next index is 0, however many segments there were before. */
  for (int id = 0; (id & 32767) != 63;) id = shmget(IPC_PRIVATE, 1, 0600), shmctl(id, IPC_RMID, NULL);
  creation();
  puts("attach");
  attaching(shmget(KEY, 0, 0));
  puts("control");
  controlling(shmget(KEY, 0, 0));
  puts("page out");
  paging_out();
  puts("as nobody");
  as_nobody(shmget(KEY, 0, 0));
  puts("remove");
  removal(argv[0]);
  puts("limits");
  limits();
  struct shmid_ds d;
  for (int i = 0; i < 64; i++) {
    int id = shmctl(i, SHM_STAT, &d);
    if (id != -1) shmctl(id, IPC_RMID, NULL);
  }
  return 0;
}
