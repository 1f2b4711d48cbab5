/* execve by root whose capabilities are fewer: what it has again, what its personality forgets of it, and who gains nothing. */
#include "call.h"
#include <linux/capability.h>
#include <sched.h>
#include <sys/auxv.h>
#include <sys/personality.h>
#include <sys/prctl.h>

#define FLAGS (READ_IMPLIES_EXEC | ADDR_NO_RANDOMIZE | ADDR_COMPAT_LAYOUT | MMAP_PAGE_ZERO | STICKY_TIMEOUTS | 8)
#define ALL 0x1ffffffffffUL
#define SETUID (1UL << 7)

static const char *self;

/* What the program that was executed finds. */
static void show(void) {
  char *line = strtok(text_of("/proc/self/status"), "\n");
  for (; line; line = strtok(NULL, "\n"))
    if (!strncmp(line, "CapPrm", 6) || !strncmp(line, "CapEff", 6) || !strncmp(line, "CapInh", 6)) printf("%s ", line);
  uid_t u[3]; gid_t g[3];
  getresuid(u, u + 1, u + 2), getresgid(g, g + 1, g + 2);
  printf("users %u %u %u, groups %u %u %u, personality %x", u[0], u[1], u[2], g[0], g[1], g[2], personality(0xffffffff));
  printf(", vector %lu %lu %lu %lu secure %lu", getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_EGID), getauxval(AT_SECURE));
  char *maps = text_of("/proc/self/maps");
  char *stack = strstr(maps, "[stack]");
  while (stack > maps && stack[-1] != '\n') stack--;
  printf(", page zero %s, stack %.4s\n", strncmp(maps, "00000000-", 9) ? "not there" : "there", strchr(stack, ' ') + 1);
}

static void set(unsigned long effective, unsigned long permitted, unsigned long inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{effective, permitted, inheritable}, {effective >> 32, permitted >> 32, inheritable >> 32}};
  is("capset", syscall(SYS_capset, &header, sets));
}

struct how {
  const char *what;
  unsigned long effective, permitted, inheritable;
  int no_new, clone_flags;
  uid_t real, now;
};

/* A child does it, which may share its directories with us. */
static void gains(const struct how *h) {
  printf("%s: ", h->what), fflush(stdout);
  long child = syscall(SYS_clone, h->clone_flags | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    if (h->real != h->now || h->real) is("setresuid", setresuid(h->real, h->now, h->now)), setresgid(h->real, h->now, h->now);
    if (h->no_new) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    set(h->effective, h->permitted, h->inheritable);
    personality(FLAGS);
    fflush(stdout);
    execl(self, self, "show", NULL);
    _exit(1);
  }
  int status;
  waitpid(child, &status, 0);
  if (status) printf("ended with %x\n", status);
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  if (argc == 2) return show(), 0;
  self = argv[0];
  static const struct how all[] = {
    {"nothing less", ALL, ALL, 0, 0, 0, 0, 0},
    {"none effective", 0, ALL, 0, 0, 0, 0, 0},
    {"none effective, inheritable", 0, ALL, ALL, 0, 0, 0, 0},
    {"one less", ALL & ~1UL, ALL & ~1UL, 0, 0, 0, 0, 0},
    {"none", 0, 0, 0, 0, 0, 0, 0},
    {"none but inheritable", 0, 0, ALL, 0, 0, 0, 0},
    {"none, no new privileges", 0, 0, 0, 1, 0, 0, 0},
    {"some, no new privileges", 0xf0, 0xff, 0, 1, 0, 0, 0},
    {"all, no new privileges", ALL, ALL, 0, 1, 0, 0, 0},
    {"none, directories shared", 0, 0, 0, 0, CLONE_FS, 0, 0},
    {"some, directories shared", 0xf, 0xff, 0, 0, CLONE_FS, 0, 0},
    {"some and setuid, directories shared", SETUID | 1, SETUID | 0xf, 0, 0, CLONE_FS, 0, 0},
    {"all, directories shared", ALL, ALL, 0, 0, CLONE_FS, 0, 0},
    {"none, files shared", 0, 0, 0, 0, CLONE_FILES, 0, 0},
    {"really another", ALL, ALL, 0, 0, 0, 5, 0},
    {"really another, none", 0, 0, 0, 0, 0, 5, 0},
    {"really another, none, no new privileges", 0, 0, 0, 1, 0, 5, 0},
    {"really another, none, shared", 0, 0, 0, 0, CLONE_FS, 5, 0},
    {"really another, setuid, shared", SETUID, SETUID, 0, 0, CLONE_FS, 5, 0},
    {"really another, all, no new privileges", ALL, ALL, 0, 1, 0, 5, 0},
    {"really root", 0, ALL, 0, 0, 0, 0, 5},
    {"really root, none", 0, 0, 0, 0, 0, 0, 5},
    {"really root, none, no new privileges", 0, 0, 0, 1, 0, 0, 5},
    {"another", 0, 0, 0, 0, 0, 5, 5},
    {"another, shared, no new privileges", 0, 0, 0, 1, CLONE_FS, 5, 5},
  };
  for (unsigned i = 0; i < sizeof all / sizeof *all; i++) gains(all + i);
  return 0;
}
