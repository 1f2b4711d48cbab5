/* What makes a process keep its memory to itself (PR_GET_DUMPABLE) and forget the signal of its parent's end: other users, execve, PR_SET_DUMPABLE. */
#include "call.h"
#include <grp.h>
#include <linux/capability.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define COPY "/tmp/dumpable"

static void shows(const char *what) {
  struct stat stat_;
  int signal = -1;
  prctl(PR_GET_PDEATHSIG, &signal);
  printf("%s: dumpable %d, at the parent's end %d, ", what, prctl(PR_GET_DUMPABLE), signal);
  is("in /proc of user", stat("/proc/self/stat", &stat_) ? -1 : (long)stat_.st_uid);
}

/* As it was at first. */
static void after(const char *what, long result) {
  if (result) is(what, result);
  shows(what);
  prctl(PR_SET_DUMPABLE, 1), prctl(PR_SET_PDEATHSIG, SIGUSR1);
}

static void again(const char *what) {
  prctl(PR_SET_PDEATHSIG, SIGUSR1);
  fflush(stdout);
  execl(COPY, "call_prctl_dumpable", what, NULL);
  is("no exec", -1);
}

static void set(unsigned long permitted) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{permitted, permitted, 0}, {permitted >> 32, permitted >> 32, 0}};
  is("capset", syscall(SYS_capset, &header, sets));
}

static void users(void) {
  after("at first", 0), after("groups", setgroups(0, NULL));
  after("saved user", setresuid(-1, -1, 5)), after("files' user", setfsuid(6)), after("as before", setfsuid(0) - 6);
  after("files' group", setfsgid(6)), after("as before", setfsgid(0) - 6), after("real group", setresgid(7, -1, -1)), after("effective group", setresgid(-1, 7, -1));
  after("saved group", setresgid(-1, -1, 9)), after("real user", setresuid(8, -1, -1)), after("effective user", setresuid(-1, 8, -1));
  after("the same", setresuid(8, 8, 8)), after("refused", setresuid(-1, 99, -1));
}

static void capabilities(void) {
  after("fewer", (set(~0UL & ~(1UL << CAP_KILL)), 0)), after("bits", prctl(PR_SET_SECUREBITS, 1)), after("bits", prctl(PR_SET_SECUREBITS, 0));
  after("dropped", prctl(PR_CAPBSET_DROP, CAP_KILL)), after("kept", prctl(PR_SET_KEEPCAPS, 1));
}

static void set_by_itself(void) {
  is("2", prctl(PR_SET_DUMPABLE, 2)), is("-1", prctl(PR_SET_DUMPABLE, -1L)), is("0", prctl(PR_SET_DUMPABLE, 0)), shows("not");
  fflush(stdout);
  if (fork() == 0) shows("child"), fflush(stdout), _exit(0);
  wait(NULL);
  again("dumpable again");
}

static void as_ever(void) { again("as ever"); }
static void effective(void) { is("effective user", setresuid(0, 5, 0)), again("effective user 5"); }
static void effective_group(void) { is("effective group", setresgid(0, 5, 0)), again("effective group 5"); }
static void saved(void) { is("saved user", setresuid(0, 0, 5)), again("saved user 5"); }
static void files(void) { setfsuid(5), again("files' user 5"); }
static void files_group(void) { setfsgid(5), again("files' group 5"); }
static void gaining(void) { set(1UL << CAP_SETPCAP), again("with all capabilities again"); }
static void not_gaining(void) { set(1UL << CAP_SETPCAP), is("no new", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), again("without new ones"); }
static void other(void) { is("user 5", setresuid(5, 5, 5)), again("user 5"); }
static void not_readable(void) { chmod(COPY, 0711), is("user 5", setresuid(5, 5, 5)), again("user 5, who cannot read it"); }
static void readable_by_root(void) { chmod(COPY, 0711), again("root, who can"); }

int main(int argc, char **argv) {
  if (argc == 2) { shows(argv[1]), printf("secure %lu\n", getauxval(AT_SECURE)); return 0; }
  static char bytes[1 << 20];
  int from = open("/proc/self/exe", O_RDONLY), to = open(COPY, O_CREAT | O_WRONLY | O_TRUNC, 0755);
  for (ssize_t n; (n = read(from, bytes, sizeof bytes)) > 0; ) if (write(to, bytes, n) != n) return 1;
  close(from), close(to), chmod(COPY, 0755);
  puts("-- users"), in_child(users);
  puts("-- capabilities"), in_child(capabilities);
  puts("-- by itself"), in_child(set_by_itself);
  puts("-- execve"), in_child(as_ever), in_child(effective), in_child(effective_group), in_child(saved), in_child(files), in_child(files_group);
  in_child(gaining), in_child(not_gaining), in_child(other), in_child(not_readable), in_child(readable_by_root);
  unlink(COPY);
  return 0;
}
