/* What is left of a process whose first thread has ended, and of those that a signal has ended: /proc, and which signals stay pending. */
#include "call.h"
#include <dirent.h>
#include <pthread.h>
#include <sys/syscall.h>

static char path[128];
static const char *of(pid_t pid, const char *name) { snprintf(path, sizeof path, "/proc/%d/%s", pid, name); return path; }

/* Whether a file has anything in it; the numbers of a short one. */
static void look(pid_t pid, const char *name, int shown) {
  char text[64];
  int fd = open(of(pid, name), O_RDONLY);
  if (fd < 0) { printf("  %s: open %s\n", name, errno_name(errno)); return; }
  ssize_t got = read(fd, text, sizeof text - 1);
  close(fd);
  if (got >= 0) text[got] = 0, text[strcspn(text, "\n")] = 0;
  printf("  %s: %s\n", name, got < 0 ? errno_name(errno) : got == 0 ? "empty" : shown ? text : "something");
}

static void follow(pid_t pid, const char *name) {
  char text[256];
  ssize_t got = readlink(of(pid, name), text, sizeof text);
  printf("  %s: %s", name, got < 0 ? errno_name(errno) : "a link");
  int fd = open(path, O_PATH);
  printf(", %s\n", fd < 0 ? errno_name(errno) : "leads somewhere");
  if (fd >= 0) close(fd);
}

static void list(pid_t pid, const char *name) {
  DIR *folder = opendir(of(pid, name));
  int entries = 0;
  if (folder == NULL) { printf("  %s: %s\n", name, errno_name(errno)); return; }
  while (readdir(folder)) entries++;
  closedir(folder);
  printf("  %s: %d entries\n", name, entries - 2);
}

static void all_of(const char *what, pid_t pid, int is_alive) {
  static const char *const files[] = {"maps", "smaps", "smaps_rollup", "numa_maps", "environ", "auxv", "pagemap", "mem", "cmdline", "ksm_stat", "ksm_merging_pages",
    "coredump_filter", "limits", "mounts", "mountinfo", "comm", "status", "stat", "schedstat", "cgroup", "timers", "timens_offsets", "uid_map"};
  static const char *const links[] = {"exe", "cwd", "root", "fd/0", "ns/pid", "ns/time", "ns/user", "ns/mnt"};
  printf("%s\n", what);
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) look(pid, files[i], 0);
  look(pid, "statm", !is_alive), look(pid, "oom_score_adj", 1);
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) follow(pid, links[i]);
  list(pid, "fd"), list(pid, "fdinfo"), list(pid, "map_files"), list(pid, "task");
}

static int ready[2];
static void *stay(void *unused) {
  pid_t tid = syscall(SYS_gettid);
  (void)!write(ready[1], &tid, sizeof tid);
  pause();
  return unused;
}

/* Its other thread is there, and has all. */
static void first_ends(void) {
  (void)!pipe(ready);
  fflush(stdout);
  pid_t pid = fork(), tid = 0;
  if (pid == 0) { pthread_t t; pthread_create(&t, NULL, stay, NULL), pthread_exit(NULL); }
  (void)!read(ready[0], &tid, sizeof tid);
  usleep(100000);
  all_of("its first thread has ended", pid, 0);
  static const char *const files[] = {"maps", "smaps", "statm", "cmdline", "ksm_stat", "mounts", "auxv"};
  static const char *const links[] = {"exe", "cwd", "fd/0", "ns/time"};
  puts("its other thread");
  char name[64];
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    snprintf(name, sizeof name, "task/%d/%s", tid, files[i]);
    int fd = open(of(pid, name), O_RDONLY);
    printf("  %s: %s\n", files[i], fd < 0 ? errno_name(errno) : read(fd, name, 1) == 1 ? "something" : "empty");
    close(fd);
  }
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) {
    snprintf(name, sizeof name, "task/%d/%s", tid, links[i]);
    int fd = open(of(pid, name), O_PATH);
    printf("  %s: %s\n", links[i], fd < 0 ? errno_name(errno) : "leads somewhere");
    close(fd);
  }
  kill(pid, SIGKILL), usleep(100000);
  all_of("it was killed", pid, 0);
  waitpid(pid, NULL, 0);
}

static void pending(const char *what, pid_t pid) {
  int status;
  char *at = strstr(text_of(of(pid, "status")), "ShdPnd:\t");
  printf("%s: %.16s", what, at ? at + 8 : "none");
  waitpid(pid, &status, 0), printf(", status %#x\n", status);
}

static pid_t waiting(void) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) { pause(); _exit(0); }
  usleep(50000);
  return pid;
}

int main(void) {
  first_ends();
  static const int signals[] = {SIGKILL, SIGTERM, SIGUSR1, SIGSEGV, SIGABRT, 40};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
    char what[64];
    pid_t pid = waiting();
    kill(pid, signals[i]), usleep(50000);
    snprintf(what, sizeof what, "signal %d", signals[i]), pending(what, pid);
    pid = waiting();
    syscall(SYS_tgkill, pid, pid, signals[i]), usleep(50000);
    snprintf(what, sizeof what, "signal %d to its thread", signals[i]), pending(what, pid);
    pid = waiting();
    kill(pid, SIGSTOP), usleep(50000), kill(pid, SIGTERM), kill(pid, signals[i]), kill(pid, SIGCONT), usleep(50000);
    snprintf(what, sizeof what, "signal %d while it was stopped", signals[i]), pending(what, pid);
  }
  return 0;
}
