/* The file that a process runs: /proc/self/exe follows it wherever its name goes, nobody writes to it meanwhile, and another one takes its place (PR_SET_MM_EXE_FILE). */
#include "call.h"
#include <sys/prctl.h>
#include <sys/stat.h>

#define FOLDER "/tmp/program_file"
/* Not ASCII. */
#define PROGRAM FOLDER "/pr\xc3\xb6g"
#define OTHER FOLDER "/other"

static void copy(const char *from, const char *to) {
  static char block[65536];
  int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_WRONLY, 0755);
  for (long n; (n = read(in, block, sizeof block)) > 0;) if (write(out, block, n) != n) perror(to);
  close(in);
  close(out);
}

static void show_link(const char *path) {
  char target[300];
  long n = readlink(path, target, sizeof target);
  if (n < 0) printf(" %s", errno_name(errno));
  else printf(" %.*s", (int)n, target);
}

static void show(const char *what) {
  char link[40];
  struct stat st = {0};
  printf("  %s:", what);
  show_link("/proc/self/exe");
  int fd = open("/proc/self/exe", O_RDONLY);
  fstat(fd, &st);
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  printf("; opened:");
  show_link(link);
  printf(" %d links\n", (int)st.st_nlink);
  close(fd);
}

static const char *opened(const char *path, int flags) {
  int fd = open(path, flags);
  if (fd < 0) return errno_name(errno);
  close(fd);
  return "ok";
}

static void writes(const char *what, const char *path) {
  printf("  %s: read %s, path %s, write %s, both %s, truncated %s", what, opened(path, O_RDONLY), opened(path, O_PATH | O_WRONLY),
    opened(path, O_WRONLY), opened(path, O_RDWR | O_CREAT), opened(path, O_RDONLY | O_TRUNC));
  printf(", truncate %s\n", truncate(path, 1 << 20) ? errno_name(errno) : "ok");
}

static void moves(void) {
  printf("names\n");
  show("at the start");
  rename(PROGRAM, FOLDER "/new");
  show("renamed");
  rename(FOLDER, FOLDER "2");
  show("its folder renamed");
  link(FOLDER "2/new", FOLDER "2/second");
  show("a second name");
  writes("by its second name", FOLDER "2/second");
  unlink(FOLDER "2/second");
  unlink(FOLDER "2/new");
  show("unlinked");
  copy("/proc/self/exe", FOLDER "2/new");
  show("another file of that name");
  copy("/proc/self/exe", FOLDER "2/copy");
  writes("a copy", FOLDER "2/copy");
  rename(FOLDER "2", FOLDER);
}

static void ends(void) {
  char path[40];
  printf("a child\n");
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    show("of its parent's program");
    fflush(stdout);
    _exit(0);
  }
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  static const char *const names[] = {"exe", "cwd", "root"};
  for (int i = 0; i < 3; i++) {
    snprintf(path, sizeof path, "/proc/%d/%s", child, names[i]);
    printf("  of a zombie, %s:", names[i]);
    show_link(path);
    printf(", open %s\n", opened(path, O_PATH));
  }
  waitpid(child, NULL, 0);
}

/* Where no mapping of the program is: a copy of the code in memory without a file unmaps it, sets the file and comes back. */
static long pure_call(long n, long a, long b, long c) {
  register long a7 asm("a7") = n, a0 asm("a0") = a, a1 asm("a1") = b, a2 asm("a2") = c, a3 asm("a3") = 0, a4 asm("a4") = 0;
  asm volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
  return a0;
}

struct work {
  unsigned long start, end;
  char *copy;
  int fd, written;
  long unmapped, refused, kept, set;
};

__attribute__((noinline, section(".text.exchange"), optimize("no-stack-protector"))) static void exchange(struct work *w) {
  w->refused = pure_call(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, w->fd);
  w->unmapped = pure_call(SYS_munmap, w->start, w->end - w->start, 0);
  w->kept = pure_call(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, w->written);
  w->set = pure_call(SYS_prctl, PR_SET_MM, PR_SET_MM_EXE_FILE, w->fd);
  /* Back from memory without a file, at the same place. */
  register long a7 asm("a7") = SYS_mremap, a0 asm("a0") = (long)w->copy, a1 asm("a1") = w->end - w->start, a2 asm("a2") = w->end - w->start,
    a3 asm("a3") = 3, a4 asm("a4") = w->start;
  asm volatile("ecall" : "+r"(a0) : "r"(a7), "r"(a1), "r"(a2), "r"(a3), "r"(a4) : "memory");
}

/* Of the program's file: from its first mapping to its last. */
static void find(struct work *w) {
  char line[512];
  FILE *f = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, f)) {
    unsigned long start, end;
    if (!strstr(line, FOLDER) || sscanf(line, "%lx-%lx", &start, &end) != 2) continue;
    if (w->start == 0) w->start = start;
    w->end = end;
  }
  fclose(f);
}

static void exchanges(void) {
  struct work work = {0};
  printf("another program\n");
  copy("/proc/self/exe", OTHER);
  copy("/proc/self/exe", FOLDER "/written");
  find(&work);
  long bytes = work.end - work.start;
  work.fd = open(OTHER, O_RDONLY);
  work.written = open(FOLDER "/written", O_RDONLY);
  int writer = open(FOLDER "/written", O_WRONLY);
  char *code = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  work.copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, (void *)work.start, bytes);
  memcpy(work.copy, (void *)work.start, bytes);
  asm volatile("fence.i");
  ((void (*)(struct work *))(code + ((unsigned long)exchange - work.start)))(&work);
  asm volatile("fence.i");
  printf("  mapped %ld, unmapped %ld, written by somebody %ld, then %ld\n", work.refused, work.unmapped, work.kept, work.set);
  show("set");
  writes("the new one", OTHER);
  writes("the old one", PROGRAM);
  close(writer);
  fflush(stdout);
  if (fork() == 0) {
    show("in a child");
    is("  once more", prctl(PR_SET_MM, PR_SET_MM_EXE_FILE, work.written, 0, 0));
    show("exchanged");
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  show("in its parent");
}

int main(int argc, char **argv) {
  setvbuf(stdout, malloc(1 << 16), _IOFBF, 1 << 16);
  if (argc != 2) {
    mkdir(FOLDER, 0755);
    copy("/proc/self/exe", PROGRAM);
    printf("somebody writes: ");
    fflush(stdout);
    int fd = open(PROGRAM, O_WRONLY);
    execl(PROGRAM, "program", "1", NULL);
    puts(errno_name(errno));
    fflush(stdout);
    close(fd);
    execl(PROGRAM, "program", "1", NULL);
    return 1;
  }
  if (argv[1][0] == '1') {
    moves();
    ends();
    fflush(stdout);
    rename(FOLDER "/new", PROGRAM);
    execl(PROGRAM, "program", "2", NULL);
    return 1;
  }
  exchanges();
  return 0;
}
