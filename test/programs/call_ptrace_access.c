/* Who may trace whom (ptrace(2), "Ptrace access mode checking"), and what a tracee's rights are to others. */
#include "traced.h"
#include <poll.h>
#include <sys/prctl.h>
#include <grp.h>

static void forever(void) { for (;;) pause(); }
static int p[2];
static void ready(void) { if (write(p[1], "x", 1) != 1) puts("no write"); }
static void wait_ready(void) { char c; if (read(p[0], &c, 1) != 1) puts("no read"); }

static void become(int uid, int gid) {
  setgroups(0, NULL);
  if (setresgid(gid, gid, gid) || setresuid(uid, uid, uid)) puts("no such user");
}
static pid_t target;
static void tries(const char *what) {
  long r = trace(PTRACE_SEIZE, target, 0, 0);
  is(what, r);
  if (r == 0) { trace(PTRACE_INTERRUPT, target, 0, 0); int how; waitpid(target, &how, __WALL); trace(PTRACE_DETACH, target, 0, 0); }
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/mem", target);
  int fd = open(path, O_RDWR);
  is("  mem", fd < 0 ? -1 : 0);
  close(fd);
}

static void root_target(void) { ready(); forever(); }
static void user_target(void) { become(1000, 1000); prctl(PR_SET_DUMPABLE, 1); ready(); forever(); }
static void undumpable_target(void) { become(1000, 1000); ready(); forever(); }
static void other_group_target(void) { become(1000, 1001); prctl(PR_SET_DUMPABLE, 1); ready(); forever(); }
static void setuid_target(void) {
  setresgid(1000, 1000, 1000);
  if (setresuid(1000, 1000, 0)) puts("no");
  prctl(PR_SET_DUMPABLE, 1);
  ready(); forever();
}

static void as_user(void) { become(1000, 1000); tries("as user 1000"); }
static void as_other(void) { become(1001, 1001); tries("as user 1001"); }
static void as_root(void) { tries("as root"); }

static void all(const char *what, void (*f)(void)) {
  puts(what);
  target = child_of(f);
  wait_ready();
  hear("done", child_of(as_root), 0);
  hear("done", child_of(as_user), 0);
  hear("done", child_of(as_other), 0);
  kill(target, SIGKILL);
  waitpid(target, NULL, 0);
}

/* A child may be traced by a parent that could not attach to it. */
static void weaker_parent(void) {
  int q[2];
  if (pipe(q)) return;
  pid_t pid = fork();
  if (pid == 0) {
    char c;
    if (read(q[0], &c, 1) != 1) _exit(1);
    ask("child of a weaker parent: TRACEME", PTRACE_TRACEME, 0, 0, 0);
    _exit(0);
  }
  become(1000, 1000);
  if (write(q[1], "x", 1) != 1) puts("no write");
  hear("child", pid, 0);
}

static void same_rights(void) {
  become(1000, 1000);
  prctl(PR_SET_DUMPABLE, 1);
  pid_t pid = traced_child(forever);
  resume(pid, 0);
  ask("SUSPEND_SECCOMP without rights", PTRACE_SEIZE, pid, 0, 1 << 21);
  finish(pid);
  puts("user traces its child");
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  alarm(30); /* a wait for what does not come */
  if (pipe(p)) return 1;
  all("root's", root_target);
  all("user 1000's", user_target);
  all("user 1000's that is not dumpable", undumpable_target);
  all("user 1000's of another group", other_group_target);
  all("one of two users", setuid_target);
  hear("done", child_of(weaker_parent), 0);
  hear("done", child_of(same_rights), 0);
}
