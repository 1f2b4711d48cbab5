/* Address-space layout randomisation: three tiny programs (at a fixed place, with an interpreter, and the interpreter itself) are
 * executed again and again, and their parent looks where their parts are: how many pages from where they would be at least,
 * as the bits of that number that are not always the same. */
#include "call.h"
#include <elf.h>
#include <sys/personality.h>
#include <sys/resource.h>

#define RUNS 48
#define VM "/proc/sys/vm/"
#define KERNEL "/proc/sys/kernel/"
#define TEXT 0x10000UL
#define DYN 0x2aaaaaa000UL /* ELF_ET_DYN_BASE, its page */
#define UP (DYN + PG)       /* TASK_UNMAPPED_BASE, and the heap of a program among the mappings */

/* Says that it is there, and waits. */
asm(".pushsection .rodata\n.balign 4\n.option push\n.option norvc\n"
    "tiny: li a7, 64\n li a0, 1\n mv a1, sp\n li a2, 1\n ecall\n"
    " li a7, 63\n li a0, 0\n addi a1, sp, -16\n li a2, 1\n ecall\n"
    " li a7, 93\n li a0, 0\n ecall\n"
    "tiny_end:\n.option pop\n.popsection");
extern const char tiny[], tiny_end[];

static void make(const char *path, int type, const char *interpreter, unsigned long align) {
  struct { Elf64_Ehdr header; Elf64_Phdr segment[2]; char code[128]; char name[32]; } file = {0};
  unsigned long at = type == ET_EXEC ? TEXT : 0;
  memcpy(file.header.e_ident, ELFMAG, SELFMAG);
  file.header.e_ident[EI_CLASS] = ELFCLASS64, file.header.e_ident[EI_DATA] = ELFDATA2LSB, file.header.e_ident[EI_VERSION] = EV_CURRENT;
  file.header.e_type = type, file.header.e_machine = EM_RISCV, file.header.e_version = EV_CURRENT;
  file.header.e_phoff = (char *)file.segment - (char *)&file, file.header.e_phentsize = sizeof(Elf64_Phdr);
  file.header.e_phnum = interpreter ? 2 : 1, file.header.e_ehsize = sizeof file.header;
  file.header.e_entry = at + (file.code - (char *)&file);
  Elf64_Phdr load = {PT_LOAD, PF_R | PF_W | PF_X, 0, at, at, sizeof file, sizeof file + 5000, align};
  file.segment[0] = load;
  memcpy(file.code, tiny, tiny_end - tiny);
  if (interpreter) {
    unsigned long name = file.name - (char *)&file;
    Elf64_Phdr interp = {PT_INTERP, PF_R, name, at + name, at + name, strlen(interpreter) + 1, strlen(interpreter) + 1, 1};
    strcpy(file.name, interpreter);
    file.segment[1] = load, file.segment[0] = interp;
  }
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
  (void)!write(fd, &file, sizeof file);
  close(fd);
}

/* Where the parts of a program are. */
struct places { unsigned long program, loader, vvar, vdso_end, stack, stack_end, sp, brk, flags; };

static struct places places_of(pid_t pid) {
  struct places p = {0};
  char path[64];
  sprintf(path, "/proc/%d/maps", pid);
  for (char *line = strtok(text_of(path), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long start, end; char name[256] = "";
    sscanf(line, "%lx-%lx %*s %*s %*s %*s %255[^\n]", &start, &end, name);
    if (!strcmp(name, "/tmp/program")) p.program = start;
    if (!strcmp(name, "/tmp/loader")) p.loader = start;
    if (!strcmp(name, "[vvar]")) p.vvar = start;
    if (!strcmp(name, "[vdso]")) p.vdso_end = end;
    if (!strcmp(name, "[stack]")) p.stack = start, p.stack_end = end;
  }
  sprintf(path, "/proc/%d/stat", pid);
  char *field = strrchr(text_of(path), ')') + 2;
  for (int n = 3; n < 47; n++, field = strchr(field, ' ') + 1) {
    if (n == 9) p.flags = strtoul(field, NULL, 10);
    if (n == 28) p.sp = strtoul(field, NULL, 10);
  }
  p.brk = strtoul(field, NULL, 10);
  return p;
}

static unsigned long with_personality;
static const char *program = "/tmp/program";

static struct places run(void) {
  int out[2], in[2];
  char byte;
  (void)!pipe(out), (void)!pipe(in);
  pid_t child = fork();
  if (child == 0) {
    dup2(in[0], 0), dup2(out[1], 1);
    personality(with_personality);
    char *const arguments[] = {"p", NULL}, *const environment[] = {NULL};
    execve(program, arguments, environment);
    _exit(127);
  }
  close(out[1]), close(in[0]);
  struct places p = {0};
  if (read(out[0], &byte, 1) == 1) p = places_of(child);
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  close(out[0]), close(in[1]);
  return p;
}

/* A number that is always the same, or the bits that change. */
static void bits(const char *what, const long *value) {
  long changing = 0, least = value[0];
  for (int i = 0; i < RUNS; i++) {
    changing |= value[i] ^ value[0];
    if (value[i] < least) least = value[i];
  }
  printf("  %s: ", what);
  if (least < 0) printf("%ld, too far\n", least);
  else if (changing) printf("bits %lx\n", changing);
  else printf("%lx\n", value[0]);
}

#define BITS(name, expression) \
  do { for (int i = 0; i < RUNS; i++) { struct places p = place[i]; value[i] = (long)(expression); } bits(name, value); } while (0)

static unsigned long stack_limit = 8 << 20;

/* The page below which mappings begin when the random number is 0. */
static unsigned long highest(int is_random) {
  unsigned long room = stack_limit + 256 * PG + (is_random ? 0x3ffff * PG : 0), most = END / 6 * 5, least = 128 << 20;
  if (room < least) room = least;
  if (room > most) room = most;
  return (END - room + PG - 1) & -PG;
}

static int is_legacy;

static int is_upwards(void) {
  return is_legacy || with_personality & ADDR_COMPAT_LAYOUT || stack_limit == RLIM_INFINITY;
}

static void look(const char *what) {
  static struct places place[RUNS];
  static long value[RUNS];
  for (int i = 0; i < RUNS; i++) place[i] = run();
  struct places *first = place;
  int is_random = first->flags & 0x400000 ? 1 : 0, is_dynamic = first->program != TEXT;
  printf("%s, %s:\n", what, !is_dynamic ? "at a fixed place" : first->program ? "with an interpreter" : "an interpreter");
  BITS("random", p.flags >> 22 & 1);
  if (is_dynamic && first->program) BITS("program", (p.program - DYN) / PG);
  if (is_upwards()) BITS("mappings, upwards", ((p.loader ? p.loader : p.vvar) - UP) / PG);
  else BITS("mappings", (highest(is_random) - (p.loader ? p.loader + 2 * PG : p.vdso_end)) / PG);
  if (first->loader) BITS("vdso next to the loader", p.vdso_end == p.loader || p.loader + 2 * PG == p.vvar);
  BITS("end of the stack", (END - p.stack_end) / PG);
  BITS("its pages", (p.stack_end - p.stack) / PG);
  BITS("stack pointer", (p.stack_end - p.sp) & 15);
  BITS("within a page", p.sp % PG & ~15UL);
  BITS("heap", (p.brk - (!is_dynamic ? TEXT + 2 * PG : first->program ? p.program + 2 * PG : UP)) / PG);
  BITS("within its page", p.brk % PG);
}

static void all(const char *what) {
  make("/tmp/program", ET_EXEC, NULL, PG), program = "/tmp/program";
  look(what);
  make("/tmp/program", ET_DYN, "/tmp/loader", PG);
  look(what);
  program = "/tmp/loader";
  look(what);
}

static void with_stack(const char *what, rlim_t bytes) {
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  limit.rlim_cur = stack_limit = bytes;
  setrlimit(RLIMIT_STACK, &limit);
  make("/tmp/program", ET_EXEC, NULL, PG), program = "/tmp/program";
  look(what);
  limit.rlim_cur = stack_limit = 8 << 20;
  setrlimit(RLIMIT_STACK, &limit);
}

/* Where a mapping, the stack and the heap of this process are. */
static unsigned long here(void) {
  int local;
  void *p = mmap(NULL, PG, PROT_READ, PRIV, -1, 0);
  munmap(p, PG);
  return (unsigned long)p ^ (unsigned long)&local ^ (unsigned long)sbrk(0);
}

static void same_in_child(void) {
  unsigned long before = here();
  pid_t child = fork();
  int how;
  if (child == 0) _exit(here() == before ? 3 : 4);
  waitpid(child, &how, 0);
  printf("a child has its parent's layout: %d\n", WEXITSTATUS(how) == 3);
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  signal(SIGPIPE, SIG_IGN);
  printf("randomize_va_space is %s", text_of(KERNEL "randomize_va_space"));
  printf("mmap_rnd_bits is %s", text_of(VM "mmap_rnd_bits"));
  make("/tmp/loader", ET_DYN, NULL, PG);
  same_in_child();
  all("as it is");
  make("/tmp/program", ET_DYN, "/tmp/loader", 64 * PG), program = "/tmp/program";
  look("aligned to 64 pages");
  with_personality = ADDR_NO_RANDOMIZE;
  all("ADDR_NO_RANDOMIZE");
  with_personality = ADDR_COMPAT_LAYOUT;
  all("ADDR_COMPAT_LAYOUT");
  with_personality = ADDR_COMPAT_LAYOUT | ADDR_NO_RANDOMIZE;
  all("both");
  with_personality = 0;
  with_stack("stack of 1 GiB", 1UL << 30);
  with_stack("stack of 3 pages and a byte", 3 * PG + 1);
  with_stack("stack of 200 GiB", 200UL << 30);
  with_stack("stack of 250 GiB", 250UL << 30);
  with_stack("stack of 2^63", 1UL << 63);
  with_stack("stack of nearly all", -2UL);
  with_stack("unlimited stack", RLIM_INFINITY);
  with_personality = ADDR_NO_RANDOMIZE;
  with_stack("stack of 200 GiB, ADDR_NO_RANDOMIZE", 200UL << 30);
  with_stack("stack of 250 GiB, ADDR_NO_RANDOMIZE", 250UL << 30);
  with_personality = 0;
  is("randomize_va_space <- 1", put(KERNEL "randomize_va_space", "1"));
  all("1");
  is("randomize_va_space <- 0", put(KERNEL "randomize_va_space", "0"));
  all("0");
  is("randomize_va_space <- 3", put(KERNEL "randomize_va_space", "3"));
  look("3");
  is("randomize_va_space <- -1", put(KERNEL "randomize_va_space", "-1"));
  look("-1");
  is("randomize_va_space <- 2", put(KERNEL "randomize_va_space", "2"));
  is("mmap_rnd_bits <- 17", put(VM "mmap_rnd_bits", "17"));
  is("mmap_rnd_bits <- 25", put(VM "mmap_rnd_bits", "25"));
  is("mmap_rnd_bits <- 24", put(VM "mmap_rnd_bits", "24"));
  all("24 bits");
  is("mmap_rnd_bits <- 18", put(VM "mmap_rnd_bits", "18"));
  is("legacy_va_layout <- 1", put(VM "legacy_va_layout", "1"));
  is_legacy = 1;
  all("legacy_va_layout");
  is("legacy_va_layout <- 0", put(VM "legacy_va_layout", "0"));
  return 0;
}
