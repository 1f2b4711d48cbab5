/* prctl(PR_SET_MM) and PR_GET_AUXV: what a program says of its own memory, and how /proc shows it: command line, environment, auxiliary vector, stat. */
#include "call.h"
#include <sys/prctl.h>
#include <sys/resource.h>

#define PR_GET_AUXV 0x41555856
#define VECTOR 66

struct map { unsigned long field[11], auxv; unsigned auxv_size, exe_fd; };
static char *const title = BASE;
static unsigned long vector[2 * VECTOR];

static void dump(const char *what, const char *file) {
  char b[300];
  int fd = open(file, O_RDONLY);
  long n = read(fd, b, sizeof b);
  printf("  %s %s: %ld '", what, file + strlen("/proc/self/"), n);
  for (long i = 0; i < n && i < 80; i++) putchar(b[i] ? b[i] : '|');
  puts("'");
  close(fd);
}

static void both(const char *what) {
  dump(what, "/proc/self/cmdline");
  dump(what, "/proc/self/environ");
}

static int set(int option, unsigned long value) { return prctl(PR_SET_MM, option, value, 0, 0); }
static int set_map(struct map *map, long bytes) { return prctl(PR_SET_MM, PR_SET_MM_MAP, map, bytes, 0); }

static void show_vector(const char *what) {
  memset(vector, 0xee, sizeof vector);
  long n = prctl(PR_GET_AUXV, vector, sizeof vector, 0, 0);
  printf("  %s: %ld bytes:", what, n);
  for (int i = 0; i < VECTOR; i += 2) printf(" %lx", vector[i]);
  char b[1024];
  int fd = open("/proc/self/auxv", O_RDONLY);
  printf("; file %ld\n", (long)read(fd, b, sizeof b));
  close(fd);
}

static void titles(char **argv) {
  printf("titles\n");
  both("at the start");
  argv[1][0] = 'O';
  both("a letter");
  argv[2][3] = '!';
  both("the last end");
  memset(argv[0], 't', 30);
  both("long");
  argv[0][10] = 0;
  both("short");
  char b[8];
  int fd = open("/proc/self/cmdline", O_RDONLY);
  printf("  at 6: %ld, at 11: %ld, at 4096: %ld\n", (long)pread(fd, b, 3, 6), (long)pread(fd, b, 3, 11), (long)pread(fd, b, 3, 4096));
  close(fd);
}

static void auxiliary(void) {
  unsigned long small[4] = {6, 4096, 0, 0};
  printf("auxiliary vector\n");
  show_vector("at the start");
  is("get, more arguments", prctl(PR_GET_AUXV, vector, 16, 1, 0));
  is("get, nowhere", prctl(PR_GET_AUXV, 0, 16, 0, 0));
  printf("get 16 bytes: %d\n", prctl(PR_GET_AUXV, vector, 16, 0, 0));
  is("set", prctl(PR_SET_MM, PR_SET_MM_AUXV, small, 16, 0));
  show_vector("set");
  is("set none", prctl(PR_SET_MM, PR_SET_MM_AUXV, small, 0, 0));
  show_vector("none");
  is("set too long", prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, VECTOR * 8 + 8, 0));
  is("set from nowhere", prctl(PR_SET_MM, PR_SET_MM_AUXV, 8, 16, 0));
  memset(vector, 7, sizeof vector);
  is("set full", prctl(PR_SET_MM, PR_SET_MM_AUXV, vector, VECTOR * 8, 0));
  show_vector("full");
  if (fork() == 0) {
    show_vector("child");
    is("child's own", prctl(PR_SET_MM, PR_SET_MM_AUXV, small, 16, 0));
    show_vector("child");
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  show_vector("parent");
}

static void elsewhere(void) {
  printf("elsewhere\n");
  mmap(title, 2 * PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  strcpy(title, "new name");
  strcpy(title + 20, "E=1");
  is("arguments start", set(PR_SET_MM_ARG_START, (long)title));
  is("arguments end", set(PR_SET_MM_ARG_END, (long)title + 9));
  is("environment start past its end", set(PR_SET_MM_ENV_START, 0x3ffffffff0));
  is("environment start", set(PR_SET_MM_ENV_START, (long)title + 20));
  is("environment end", set(PR_SET_MM_ENV_END, (long)title + 24));
  both("moved");
  title[8] = '+';
  both("no end");
  is("environment right behind", set(PR_SET_MM_ENV_START, (long)title + 9));
  both("right behind");
  mprotect(title, PG, PROT_NONE);
  both("no access");
  munmap(title, 2 * PG);
  both("gone");
  int fd = memfd_create("f", 0);
  write(fd, "file", 5);
  mmap(title, PG, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, fd, 0);
  both("of a file");
  munmap(title, PG);
  close(fd);
  is("above all", set(PR_SET_MM_ARG_START, 0x3fffffe000));
  is("stack above all", set(PR_SET_MM_START_STACK, 0x3fffffe000));
  is("code above all", set(PR_SET_MM_END_CODE, 0x3fffffe000));
}

static void fields(struct map *map) {
  static const unsigned long tries[] = {0, 0xffff, 0x10000, 0x1ffff, 0x20000, 0x20b00, 0x3fffffffff, 0x4000000000, -1UL};
  printf("fields\n");
  for (int i = 0; i < 11; i++) {
    unsigned long own = map->field[i];
    printf("  %d:", i);
    for (int k = 0; k < 9; k++) {
      map->field[i] = tries[k];
      printf(" %s", set_map(map, sizeof *map) < 0 ? errno_name(errno) : "ok");
    }
    puts("");
    map->field[i] = own;
  }
  for (int option = 0; option < 18; option++)
    printf("  option %d: %s %s %s\n", option, set(option, option == PR_SET_MM_EXE_FILE ? 99 : 0) < 0 ? errno_name(errno) : "ok",
      prctl(PR_SET_MM, option, 0x20000, 1, 0) < 0 ? errno_name(errno) : "ok", prctl(PR_SET_MM, option, 0x20000, 0, 1) < 0 ? errno_name(errno) : "ok");
}

static void show_stat(void) {
  char b[4096];
  int fd = open("/proc/self/stat", O_RDONLY);
  b[read(fd, b, sizeof b - 1)] = 0;
  close(fd);
  int i = 3;
  for (char *t = strtok(strrchr(b, ')') + 2, " "); t; t = strtok(NULL, " "), i++)
    if ((i >= 26 && i <= 28) || (i >= 45 && i <= 51)) printf(" %d=%lx", i, strtoul(t, NULL, 10));
  puts("");
}

static void whole(void) {
  unsigned long small[2] = {6, 4096};
  struct map map = {.exe_fd = -1};
  unsigned size = 0;
  printf("all at once\n");
  is("size", prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
  printf("%u bytes\n", size);
  for (int i = 0; i < 11; i++) map.field[i] = 0x20000 + i * 0x100;
  is("too short", set_map(&map, sizeof map - 8));
  is("from nowhere", set_map(NULL, sizeof map));
  is("set", set_map(&map, sizeof map));
  show_stat();
  map.auxv_size = 8;
  is("no vector", set_map(&map, sizeof map));
  map.auxv = 1;
  is("vector from nowhere", set_map(&map, sizeof map));
  map.auxv = (unsigned long)small, map.auxv_size = 4096;
  is("vector too long", set_map(&map, sizeof map));
  map.auxv_size = 16;
  is("vector", set_map(&map, sizeof map));
  show_vector("then");
  map.exe_fd = 99;
  is("no file", set_map(&map, sizeof map));
  map.exe_fd = open("/", O_RDONLY);
  is("a directory", set_map(&map, sizeof map));
  map.exe_fd = open("/proc/self/exe", O_RDONLY | O_PATH);
  is("a path", set_map(&map, sizeof map));
  map.exe_fd = open("/proc/self/maps", O_RDONLY);
  is("of /proc", set_map(&map, sizeof map));
  map.exe_fd = open("/proc/self/exe", O_RDONLY);
  is("the program that is mapped", set_map(&map, sizeof map));
  is("alone", set(PR_SET_MM_EXE_FILE, map.exe_fd));
  int other = map.exe_fd;
  map.exe_fd = -1;
  fields(&map);
  is("as before", set_map(&map, sizeof map));
  printf("break %lx, more %lx\n", (long)syscall(SYS_brk, 0), (long)syscall(SYS_brk, 0x21000));
  struct rlimit limit = {4096, RLIM_INFINITY};
  setrlimit(RLIMIT_DATA, &limit);
  map.field[5] = 0x30000;
  is("beyond RLIMIT_DATA", set_map(&map, sizeof map));
  limit.rlim_cur = RLIM_INFINITY;
  setrlimit(RLIMIT_DATA, &limit);
  if (setuid(1000)) perror("setuid");
  is("a field without rights", set(PR_SET_MM_START_CODE, 0x20000));
  is("the vector without rights", prctl(PR_SET_MM, PR_SET_MM_AUXV, small, 16, 0));
  is("all without rights", set_map(&map, sizeof map));
  is("the size without rights", prctl(PR_SET_MM, PR_SET_MM_MAP_SIZE, &size, 0, 0));
  map.exe_fd = other;
  is("a file without rights", set_map(&map, sizeof map));
}

int main(int argc, char **argv) {
  static char *const args[] = {"/proc/self/exe", "one", "two", NULL}, *const environment[] = {"HOME=/x", "A=b", NULL};
  if (argc != 3 || strcmp(argv[1], "one")) execve("/proc/self/exe", args, environment);
  setvbuf(stdout, malloc(1 << 16), _IOFBF, 1 << 16);
  titles(argv);
  auxiliary();
  elsewhere();
  whole();
  return 0;
}
