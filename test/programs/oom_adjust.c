/* oom_score_adj and oom_adj: what they take, who may lower them and how far, who has them in common, and what oom_score is made of. */
#include "call.h"
#include <grp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/sysinfo.h>

static const char *value_of(pid_t pid, const char *name) {
  static char texts[4][32], path[64];
  static int next;
  char *text = texts[next++ & 3];
  sprintf(path, "/proc/%d/%s", pid, name);
  snprintf(text, sizeof texts[0], "%s", text_of(path));
  text[strcspn(text, "\n")] = 0;
  return text;
}
static long set(pid_t pid, const char *name, const char *text) {
  char path[64];
  sprintf(path, "/proc/%d/%s", pid, name);
  return put(path, text);
}
static void tell(const char *name, const char *text) {
  long r = set(getpid(), name, text);
  printf("  %s to %s: %s, %s and %s\n", text, name, r < 0 ? errno_name(errno) : "ok", value_of(getpid(), "oom_score_adj"), value_of(getpid(), "oom_adj"));
}
static void become_user(void) { setgroups(0, NULL), setresgid(1000, 1000, 1000), setresuid(1000, 1000, 1000), prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); }

static void lower(void) {
  static const char *const scores[] = {"500", "300", "200", "199", "0", "-1", "1000"};
  become_user();
  for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) tell("oom_score_adj", scores[i]);
  tell("oom_adj", "16"), tell("oom_adj", "15"), tell("oom_adj", "14");
  tell("oom_score_adj", "200"), tell("oom_adj", "3"), tell("oom_adj", "4"), tell("oom_adj", "3");
  fflush(stdout);
  if (fork() == 0) {
    printf(" their child\n");
    tell("oom_score_adj", "199"), tell("oom_score_adj", "200");
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}

static char stack[1 << 16];
static int sleeps(void *unused) {
  for (;;) pause();
}

static void in_common(void) {
  pid_t child = clone(sleeps, stack + sizeof stack, CLONE_VM | SIGCHLD, NULL);
  set(getpid(), "oom_score_adj", "300");
  printf("one memory: %s and", value_of(child, "oom_score_adj"));
  set(child, "oom_score_adj", "-400");
  printf(" %s\n", value_of(getpid(), "oom_score_adj"));
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  child = vfork();
  if (child == 0) {
    set(getpid(), "oom_score_adj", "700");
    printf("in a vfork: %s, score %s; ", value_of(getpid(), "oom_score_adj"), value_of(getpid(), "oom_score"));
    _exit(0);
  }
  printf("its parent: %s\n", value_of(getpid(), "oom_score_adj"));
  waitpid(child, NULL, 0);
  child = fork();
  if (child == 0) become_user(), sleeps(NULL);
  printf("root lowers a user's: %ld", set(child, "oom_score_adj", "-500"));
  printf(" to %s\n", value_of(child, "oom_score_adj"));
  kill(child, SIGKILL);
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  printf("a zombie's: %s, %ld", value_of(child, "oom_score_adj"), set(child, "oom_score_adj", "5"));
  printf(", %s, score %s\n", value_of(child, "oom_score_adj"), value_of(child, "oom_score"));
  waitpid(child, NULL, 0);
}

/* Resident pages and tables on a scale where a thousand is all of RAM, with a thousand for everybody, and two thirds of the sum. */
static void scores(const char *what, int flags, int locks) {
  static const int adjustments[] = {0, -50, 333, 1000, -999, -1000};
  struct sysinfo info;
  sysinfo(&info);
  long total = info.totalram / PG, pages = total / 10;
  char *p = mmap(NULL, pages * PG, RW, flags | MAP_NORESERVE, -1, 0);
  if (locks) mlock(p, pages * PG);
  else for (long i = 0; i < pages; i++) p[i * PG] = 1;
  printf("%s:", what);
  for (size_t i = 0; i < sizeof adjustments / sizeof *adjustments; i++) {
    char text[16];
    sprintf(text, "%d", adjustments[i]);
    set(getpid(), "oom_score_adj", text);
    long badness = (status("VmRSS:") + status("VmPTE:")) / 4 + adjustments[i] * (total / 1000);
    long wanted = adjustments[i] == -1000 ? 0 : (1000 + badness * 1000 / total) * 2 / 3, found = atol(value_of(getpid(), "oom_score"));
    if (labs(wanted - found) <= 1) printf(" as reckoned");
    else printf(" %ld, not %ld", found, wanted);
  }
  puts("");
  munmap(p, pages * PG);
}

int main(void) {
  printf("root\n");
  for (const char *const *text = (const char *const[]){"0", "1000", "-1000", "1001", "-1001", "500", "x", "", NULL}; *text; text++) tell("oom_score_adj", *text);
  for (int i = -18; i <= 16; i += i == -15 || i == 4 ? 8 : 1) {
    char text[8];
    sprintf(text, "%d", i);
    tell("oom_adj", text);
  }
  static const char *const reads[] = {"-999", "-941", "-59", "-58", "58", "59", "882", "883", "999"};
  for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) tell("oom_score_adj", reads[i]);
  set(getpid(), "oom_score_adj", "200");
  printf("a user, where root wrote 200\n");
  in_child(lower);
  set(getpid(), "oom_score_adj", "-3");
  set(getpid(), "oom_adj", "5");
  printf("a user, where root wrote -3, and 5 to oom_adj\n");
  in_child(lower);
  in_common();
  scores("private pages", PRIV, 0);
  scores("locked pages", PRIV, 1);
  scores("shared pages", SHAR, 0);
}
