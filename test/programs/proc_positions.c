// flags: -pthread
/* Positions of files in /proc and /sys: what lseek, write and pwrite make of them. And the names of threads. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

static void did(const char *what, long result) {
  printf(" %s %s", what, result < 0 ? errno_name(errno) : "");
  if (result >= 0) printf("%ld", result);
}

static void seek(const char *name) {
  int fd = open(name, O_RDONLY);
  if (fd < 0) {
    printf("%s:", name), did("open", fd), puts("");
    return;
  }
  struct stat st;
  fstat(fd, &st);
  char byte;
  printf("%s: size %ld", name, (long)st.st_size);
  did("7", lseek(fd, 7, SEEK_SET)), did("-8", lseek(fd, -8, SEEK_CUR)), did("end", lseek(fd, 0, SEEK_END)), did("end + 3", lseek(fd, 3, SEEK_END));
  did("data", lseek(fd, 0, SEEK_DATA)), did("hole", lseek(fd, 0, SEEK_HOLE)), did("data 5000", lseek(fd, 5000, SEEK_DATA)), did("now", lseek(fd, 0, SEEK_CUR));
  did("pwrite", pwrite(fd, "1", 1, 0)), did("pwrite -1", pwrite(fd, "1", 1, -1)), did("write", write(fd, "1", 1)), did("pread", pread(fd, &byte, 0, 0));
  puts("");
  close(fd);
}

static void put(const char *name, const char *text, int flags) {
  int fd = open(name, flags);
  size_t length = strlen(text);
  struct iovec vector = {(void *)text, length};
  char back[80];
  printf("%s:", name);
  did("pwrite", pwrite(fd, text, length, 0)), did("pwrite 1", pwrite(fd, text, length, 1)), did("pwritev", pwritev(fd, &vector, 1, 0));
  did("at", lseek(fd, 0, SEEK_CUR)), did("write", write(fd, text, length)), did("at", lseek(fd, 0, SEEK_CUR));
  did("writev", writev(fd, &vector, 1)), did("at", lseek(fd, 0, SEEK_CUR));
  if ((flags & O_ACCMODE) == O_RDWR) did("read", read(fd, back, sizeof back)), did("at", lseek(fd, 0, SEEK_CUR));
  puts("");
  close(fd);
}

static void show(const char *name) {
  char text[64];
  int fd = open(name, O_RDONLY);
  ssize_t n = read(fd, text, sizeof text);
  printf("  %s: %.*s", name, (int)n, text);
  close(fd);
}

static void names(const char *when) {
  char name[20];
  prctl(PR_GET_NAME, name);
  printf("%s: %s\n", when, name);
  show("/proc/thread-self/comm"), show("/proc/self/comm");
}

static void *second(void *first) {
  char path[64];
  names("a thread");
  prctl(PR_SET_NAME, "second");
  names("named");
  snprintf(path, sizeof path, "/proc/self/task/%ld/comm", syscall(SYS_gettid));
  int fd = open(path, O_WRONLY);
  did("written", write(fd, "third, a long name", 18)), puts("");
  names("written");
  did("empty", write(fd, "", 0)), did("zero", write(fd, "a\0b", 3)), puts("");
  names("a zero");
  close(fd);
  fd = open("/proc/self/comm", O_WRONLY);
  did("the first's", write(fd, "first", 5)), puts("");
  close(fd);
  names("the first's");
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    names("a child of the second");
    snprintf(path, sizeof path, "/proc/%d/comm", getppid());
    int other = open(path, O_WRONLY);
    did("the parent's", write(other, "other", 5)), puts("");
    fflush(stdout);
    _exit(0);
  }
  waitpid(child, NULL, 0);
  return first;
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  static const char *const seen[] = {
      "self/maps", "self/smaps", "self/smaps_rollup", "self/pagemap", "self/mem", "self/statm", "self/status", "self/stat", "self/limits", "self/oom_score", "self/oom_score_adj",
      "self/oom_adj", "self/comm", "self/cmdline", "self/environ", "self/auxv", "self/coredump_filter", "self/timerslack_ns", "self/numa_maps", "self/wchan", "self/personality",
      "self/mounts", "self/io", "self/loginuid", "self/sessionid", "meminfo", "vmstat", "buddyinfo", "zoneinfo", "slabinfo", "stat", "uptime", "version", "sysvipc/shm",
      "kpageflags", "kpagecount", "sys/vm/overcommit_memory", "sys/vm/max_map_count", "sys/kernel/osrelease",
  };
  for (size_t i = 0; i < sizeof seen / sizeof *seen; i++) {
    char name[64];
    snprintf(name, sizeof name, "/proc/%s", seen[i]);
    seek(name);
  }
  seek("/sys/kernel/mm/transparent_hugepage/enabled");
  put("/proc/self/comm", "abc", O_RDWR);
  put("/proc/self/oom_score_adj", "5", O_RDWR);
  put("/proc/self/oom_adj", "1", O_RDWR);
  put("/proc/self/clear_refs", "1", O_WRONLY);
  put("/proc/self/coredump_filter", "0x33", O_RDWR);
  put("/proc/sys/vm/overcommit_memory", "0", O_RDWR);
  put("/proc/sys/vm/drop_caches", "1", O_WRONLY);
  put("/sys/kernel/mm/transparent_hugepage/enabled", "madvise", O_RDWR);
  int fd = open("/proc/self/clear_refs", O_WRONLY);
  printf("clear_refs:"), did("9", lseek(fd, 9, SEEK_SET)), did("end", lseek(fd, 4, SEEK_END)), did("hole", lseek(fd, 4, SEEK_HOLE)), puts("");
  pthread_t thread;
  pthread_create(&thread, NULL, second, NULL);
  pthread_join(thread, NULL);
  names("the first");
  return 0;
}
