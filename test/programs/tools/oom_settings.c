/* Who is ended when memory is gone: the largest, or (vm.oom_kill_allocating_task) whoever asked for more. With an argument:
 * vm.panic_on_oom, after which nothing comes. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>
#include <sys/wait.h>
#include <unistd.h>

static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) perror(path), exit(1);
  close(fd);
}

static void *take(size_t bytes) {
  char *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < bytes; i += 4096) p[i] = 1;
  return p;
}

/* A process that has more than half of what is free; it says when it has. */
static pid_t large(void) {
  int ready[2];
  char byte;
  struct sysinfo info;
  sysinfo(&info);
  (void)!pipe(ready);
  pid_t child = fork();
  if (child == 0) {
    take(info.freeram / 100 * 60);
    (void)!write(ready[1], "x", 1);
    for (;;) pause();
  }
  (void)!read(ready[0], &byte, 1);
  close(ready[0]), close(ready[1]);
  return child;
}

/* Ended, if perhaps not yet waited for. */
static int is_gone(pid_t pid) {
  char path[64], text[512] = "";
  sprintf(path, "/proc/%d/stat", pid);
  int fd = open(path, O_RDONLY);
  (void)!read(fd, text, sizeof text - 1);
  close(fd);
  char *state = strrchr(text, ')');
  return state == NULL || state[2] == 'Z' || state[2] == 'X';
}

static void hog(const char *what) {
  pid_t other = large(), child = fork();
  if (child == 0) {
    for (int i = 0; i < 4096 && !is_gone(other); i++) take(1 << 20);
    _exit(is_gone(other) ? 3 : 4);
  }
  int how, others;
  waitpid(child, &how, 0);
  if (WIFEXITED(how)) printf("%s: the large one was ended, exit %d\n", what, WEXITSTATUS(how));
  else printf("%s: the one that asked was ended by %d\n", what, WTERMSIG(how));
  kill(other, SIGTERM);
  waitpid(other, &others, 0);
  printf("the large one by %d\n", WTERMSIG(others));
}

int main(int argc, char **argv) {
  setvbuf(stdout, NULL, _IONBF, 0);
  put("/proc/sys/vm/overcommit_memory", "1");
  if (argc > 1) {
    put("/proc/sys/vm/panic_on_oom", argv[1]);
    hog("panic");
    return 0;
  }
  hog("off");
  put("/proc/sys/vm/oom_kill_allocating_task", "1");
  hog("on");
  put("/proc/sys/vm/oom_kill_allocating_task", "0");
  hog("off again");
  return 0;
}
