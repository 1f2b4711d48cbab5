/* Stores into a mapped file of the host and ends in some way: `dirty FILE HOW`. The file has four pages; the third gets 'X' at its start. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096L

static void hog(void) {
  for (;;) {
    char *room = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (room == MAP_FAILED) _exit(4);
    for (long at = 0; at < 1 << 20; at += PAGE) room[at] = 1;
  }
}

/* Stores into every page of a file that is larger than RAM. */
static int fill(int fd, long bytes) {
  if (ftruncate(fd, bytes)) return 97;
  char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (map == MAP_FAILED) return 96;
  for (long at = 0; at < bytes; at += PAGE) map[at + at / PAGE % PAGE] = 1 + at / PAGE % 255;
  return 0;
}

static void spin(void) {
  write(1, "ready\n", 6);
  for (volatile long i = 0;; i++);
}

int main(int argc, char **argv) {
  const char *how = argv[2];
  int fd = open(argv[1], O_RDWR);
  char *map = mmap(NULL, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (fd < 0 || map == MAP_FAILED) return 99;
  if (!strcmp(how, "fill")) return fill(fd, 24 << 20);
  map[2 * PAGE] = 'X';
  close(fd);
  if (!strcmp(how, "return")) return 0;
  if (!strcmp(how, "_exit")) _exit(0);
  if (!strcmp(how, "abort")) abort();
  if (!strcmp(how, "kill")) raise(SIGKILL);
  if (!strcmp(how, "segv")) *(volatile char *)8 = 1;
  if (!strcmp(how, "bus")) {
    truncate(argv[1], 3 * PAGE);
    map[3 * PAGE] = 1;
  }
  if (!strcmp(how, "hog")) hog();
  if (!strcmp(how, "spin")) spin();
  if (!strcmp(how, "wait")) {
    write(1, "ready\n", 6);
    for (char c; read(0, &c, 1) >= 0;) pause();
  }
  if (!strcmp(how, "pipe")) for (;;) write(1, "line\n", 5);
  if (!strcmp(how, "exec")) {
    execl("/proc/self/exe", argv[0], argv[1], "return2", NULL);
    return 98;
  }
  if (!strcmp(how, "child")) {
    if (fork() == 0) {
      map[2 * PAGE + 1] = 'Y';
      spin();
    }
    wait(NULL);
  }
  if (!strcmp(how, "unmap")) {
    munmap(map, 4 * PAGE);
    spin();
  }
  if (!strcmp(how, "msync")) {
    int result = msync(map, 4 * PAGE, MS_SYNC);
    map[2 * PAGE] = 'Z';
    fd = open(argv[1], O_RDWR);
    printf("msync %d fsync %d", result, fsync(fd));
    printf(" %s\n", errno ? strerror(errno) : "");
    fflush(stdout);
    spin();
  }
  if (!strcmp(how, "sync")) {
    sync();
    spin();
  }
  return 0;
}
