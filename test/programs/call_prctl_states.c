/* prctl about a thread's own states: slack of timers, memory errors, flushing, timing, performance events; fork, threads and execve. */
#include "call.h"
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>

#ifndef PR_RISCV_SET_ICACHE_FLUSH_CTX
#define PR_RISCV_SET_ICACHE_FLUSH_CTX 71
#endif

static void states(const char *what) {
  printf("%s: slack %d, memory errors %d, flusher %d, timing %d, seccomp %d, subreaper", what, prctl(PR_GET_TIMERSLACK), prctl(PR_MCE_KILL_GET, 0, 0, 0, 0),
         prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0), prctl(PR_GET_TIMING), prctl(PR_GET_SECCOMP));
  int reaper = -1;
  prctl(PR_GET_CHILD_SUBREAPER, &reaper);
  printf(" %d, no new %d, in /proc %s", reaper, prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), text_of("/proc/self/timerslack_ns"));
}

static void *thread(void *none) {
  states("thread");
  prctl(PR_SET_TIMERSLACK, 0), states("its default"), prctl(PR_SET_TIMERSLACK, 555), prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0), states("its own");
  return NULL;
}

static void inherited(void) {
  pthread_t t;
  prctl(PR_SET_TIMERSLACK, 77), prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0), prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
  prctl(PR_SET_CHILD_SUBREAPER, 1), states("set");
  fflush(stdout);
  if (fork() == 0) {
    states("child"), prctl(PR_SET_TIMERSLACK, 0), states("its default"), prctl(PR_SET_TIMERSLACK, 88), fflush(stdout);
    execl("/proc/self/exe", "call_prctl_states", "exec", NULL);
  }
  wait(NULL);
  pthread_create(&t, NULL, thread, NULL), pthread_join(t, NULL);
  states("as before"), prctl(PR_SET_TIMERSLACK, 0), states("default");
}

static void slack(void) {
  is("1", prctl(PR_SET_TIMERSLACK, 1)), is("get", prctl(PR_GET_TIMERSLACK)), is("5 s", prctl(PR_SET_TIMERSLACK, 5000000000)), printf("%ld\n", syscall(SYS_prctl, PR_GET_TIMERSLACK));
  is("0", prctl(PR_SET_TIMERSLACK, 0)), is("get", prctl(PR_GET_TIMERSLACK));
  is("write", put("/proc/self/timerslack_ns", "1234\n")), is("get", prctl(PR_GET_TIMERSLACK)), is("hexadecimal", put("/proc/self/timerslack_ns", "0x10")), is("get", prctl(PR_GET_TIMERSLACK));
  is("none", put("/proc/self/timerslack_ns", "0")), is("get", prctl(PR_GET_TIMERSLACK)), is("text", put("/proc/self/timerslack_ns", "abc")), is("negative", put("/proc/self/timerslack_ns", "-1")), is("empty", put("/proc/self/timerslack_ns", ""));
  is("spaces", put("/proc/self/timerslack_ns", " 55 ")), is("too large", put("/proc/self/timerslack_ns", "18446744073709551616")), is("largest", put("/proc/self/timerslack_ns", "18446744073709551615"));
  printf("reads %s", text_of("/proc/self/timerslack_ns"));
  is("largest by prctl", prctl(PR_SET_TIMERSLACK, -1L)), printf("reads %s", text_of("/proc/self/timerslack_ns")), is("half", prctl(PR_SET_TIMERSLACK, 1L << 63)), printf("reads %s", text_of("/proc/self/timerslack_ns"));
  is("largest", prctl(PR_SET_TIMERSLACK, -1L)), printf("%ld\n", syscall(SYS_prctl, PR_GET_TIMERSLACK));
  is("300", prctl(PR_SET_TIMERSLACK, 300));
  pid_t parent = getpid();
  fflush(stdout);
  if (fork() == 0) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/timerslack_ns", parent);
    printf("parent's %s", text_of(path)), is("set parent's", put(path, "4321"));
    is("user 5", setresuid(5, 5, 5)), is("another's", put(path, "11")), is("read another's", strlen(text_of(path))), is("own", put("/proc/self/timerslack_ns", "12"));
    fflush(stdout), _exit(0);
  }
  wait(NULL);
  is("get", prctl(PR_GET_TIMERSLACK));
  struct sched_param priority = {1}, none = {0};
  is("real time", sched_setscheduler(0, SCHED_FIFO, &priority)), is("get", prctl(PR_GET_TIMERSLACK)), is("set", prctl(PR_SET_TIMERSLACK, 99)), is("get", prctl(PR_GET_TIMERSLACK));
  is("write", put("/proc/self/timerslack_ns", "98")), printf("reads %s", text_of("/proc/self/timerslack_ns"));
  fflush(stdout);
  if (fork() == 0) is("child's", prctl(PR_GET_TIMERSLACK)), is("ordinary", sched_setscheduler(0, SCHED_OTHER, &none)), is("get", prctl(PR_GET_TIMERSLACK)), fflush(stdout), _exit(0);
  wait(NULL);
  is("ordinary", sched_setscheduler(0, SCHED_OTHER, &none)), is("get", prctl(PR_GET_TIMERSLACK)), is("again", sched_setscheduler(0, SCHED_BATCH, &none)), is("get", prctl(PR_GET_TIMERSLACK));
  is("200", prctl(PR_SET_TIMERSLACK, 200)), is("idle", sched_setscheduler(0, SCHED_IDLE, &none)), is("get", prctl(PR_GET_TIMERSLACK));
  is("real time", sched_setscheduler(0, SCHED_RR | SCHED_RESET_ON_FORK, &priority)), is("get", prctl(PR_GET_TIMERSLACK));
  fflush(stdout);
  if (fork() == 0) is("child's", prctl(PR_GET_TIMERSLACK)), is("policy", sched_getscheduler(0)), is("0", prctl(PR_SET_TIMERSLACK, 0)), is("get", prctl(PR_GET_TIMERSLACK)), fflush(stdout), _exit(0);
  wait(NULL);
}

static void memory_errors(void) {
  for (int what = -1; what < 3; what++)
    for (int how = -1; how < 4; how++) printf("%d %d: %s, ", what, how, prctl(PR_MCE_KILL, what, how, 0, 0) ? errno_name(errno) : "0"), is("is", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
  is("early", prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 0, 0)), is("clear", prctl(PR_MCE_KILL, PR_MCE_KILL_CLEAR, 0, 0, 0)), is("odd", prctl(PR_MCE_KILL, PR_MCE_KILL_SET, 7, 0, 0)), is("is", prctl(PR_MCE_KILL_GET, 0, 0, 0, 0));
  is("more", prctl(PR_MCE_KILL, PR_MCE_KILL_SET, PR_MCE_KILL_EARLY, 1, 0)), is("get with more", prctl(PR_MCE_KILL_GET, 1, 0, 0, 0));
}

static void flusher(void) {
  is("2", prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0)), is("more", prctl(PR_SET_IO_FLUSHER, 1, 1, 0, 0)), is("1", prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0));
  is("get", prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0)), is("get with more", prctl(PR_GET_IO_FLUSHER, 1, 0, 0, 0)), is("0", prctl(PR_SET_IO_FLUSHER, 0, 0, 0, 0)), is("get", prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0));
  is("user 5", setresuid(5, 5, 5)), is("1", prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0)), is("2", prctl(PR_SET_IO_FLUSHER, 2, 0, 0, 0)), is("get", prctl(PR_GET_IO_FLUSHER, 0, 0, 0, 0)), is("get with more", prctl(PR_GET_IO_FLUSHER, 1, 0, 0, 0));
}

static void others(void) {
  is("timing", prctl(PR_SET_TIMING, PR_TIMING_STATISTICAL)), is("by time stamps", prctl(PR_SET_TIMING, PR_TIMING_TIMESTAMP)), is("timing", prctl(PR_GET_TIMING));
  is("events off", prctl(PR_TASK_PERF_EVENTS_DISABLE)), is("events on", prctl(PR_TASK_PERF_EVENTS_ENABLE)), is("seccomp", prctl(PR_GET_SECCOMP));
  for (int on = -1; on < 3; on++)
    for (int scope = -1; scope < 3; scope++) printf("%d %d: ", on, scope), is("instruction caches", prctl(PR_RISCV_SET_ICACHE_FLUSH_CTX, on, scope));
}

int main(int argc, char **argv) {
  if (argc == 2) { states(argv[1]), prctl(PR_SET_TIMERSLACK, 0), states("its default"); return 0; }
  states("at first");
  puts("-- inherited"), in_child(inherited);
  puts("-- slack"), in_child(slack);
  puts("-- memory errors"), in_child(memory_errors);
  puts("-- flusher"), in_child(flusher);
  puts("-- others"), in_child(others);
  return 0;
}
