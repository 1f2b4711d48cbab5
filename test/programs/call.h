/* What the programs share that walk the manual page of one call: a window of addresses far from everything else, the mappings in
 * it as /proc/self/maps has them (pages counted from its start), and results with the names of their errors. */
#ifndef CALL_H
#define CALL_H
#define _GNU_SOURCE
#include "errno_name.h"
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define PG 4096UL
#define BASE ((char *)0x1000000000UL)
#define AT(page) (BASE + (page) * (long)PG)
#define END 0x4000000000UL
#define TOP (1UL << 63)
#define RW (PROT_READ | PROT_WRITE)
#define PRIV (MAP_PRIVATE | MAP_ANONYMOUS)
#define SHAR (MAP_SHARED | MAP_ANONYMOUS)

/* The number, or the error's name. */
static void is(const char *what, long r) {
  if (r == -1) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, r);
}

/* An address: a page of the window, or where else. */
static void at(const char *what, void *p) {
  long page = ((char *)p - BASE) / (long)PG;
  if (p == MAP_FAILED) printf("%s: %s\n", what, errno_name(errno));
  else if (page >= 0 && page < 1 << 20) printf("%s: page %ld\n", what, page);
  else printf("%s: %s\n", what, p == NULL ? "address 0" : (uintptr_t)p < END ? "elsewhere" : "beyond");
}

static char text_buffer[1 << 16];
static char *text_of(const char *path) {
  int fd = open(path, O_RDONLY);
  size_t n = 0;
  if (fd < 0) return strcpy(text_buffer, "");
  for (ssize_t r; n < sizeof text_buffer - 1 && (r = read(fd, text_buffer + n, sizeof text_buffer - 1 - n)) > 0; n += r) ;
  close(fd);
  text_buffer[n] = 0;
  return text_buffer;
}

/* The mappings of the window's first pages: first-last rights offset, and a name. */
static void maps(const char *what, int pages) {
  printf("%s:", what);
  for (char *line = strtok(text_of("/proc/self/maps"), "\n"); line; line = strtok(NULL, "\n")) {
    unsigned long start, end, offset; char rights[8], name[256] = "";
    sscanf(line, "%lx-%lx %7s %lx %*s %*s %255[^\n]", &start, &end, rights, &offset, name);
    if (end <= (uintptr_t)BASE || start >= (uintptr_t)AT(pages)) continue;
    printf(" [%ld-%ld %s", (long)(start - (uintptr_t)BASE) / (long)PG, (long)(end - (uintptr_t)BASE) / (long)PG, rights);
    if (offset) printf(" +%lu", offset / PG);
    if (*name) printf(" %s", name);
    printf("]");
  }
  puts("");
}

/* A number of /proc/self/status, in KiB or as it is. */
static long status(const char *field) {
  char *found = strstr(text_of("/proc/self/status"), field);
  return found ? atol(found + strlen(field) + 1) : -1;
}

static long meminfo(const char *field) {
  char *found = strstr(text_of("/proc/meminfo"), field);
  return found ? atol(found + strlen(field) + 1) : -1;
}

static void *map(long page, long pages, int prot, int flags) {
  return mmap(AT(page), pages * PG, prot, flags | MAP_FIXED, -1, 0);
}

static void clear(int pages) { munmap(BASE, pages * PG); }

static sigjmp_buf fault_jump;
static void fault_handler(int sig) { siglongjmp(fault_jump, sig); }

/* What a load (write 0) or a store does: ok, SEGV or BUS. */
static const char *touch(volatile char *p, int write) {
  struct sigaction sa = {.sa_handler = fault_handler, .sa_flags = SA_NODEFER};
  sigaction(SIGSEGV, &sa, NULL); sigaction(SIGBUS, &sa, NULL);
  int sig = sigsetjmp(fault_jump, 1);
  if (sig) return sig == SIGSEGV ? "SEGV" : "BUS";
  if (write) *p = 7; else (void)*p;
  return "ok";
}

/* Runs f in a child and prints how it ended when that was not by exit 0. */
static int in_child(void (*f)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { f(); fflush(stdout); _exit(0); }
  int how = 0;
  waitpid(child, &how, 0);
  if (WIFSIGNALED(how)) printf("killed by %d\n", WTERMSIG(how));
  else if (WEXITSTATUS(how)) printf("exit %d\n", WEXITSTATUS(how));
  return how;
}

/* Writes a text to a file at once: bytes taken, or -1. */
static long put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  if (fd < 0) return -1;
  long r = write(fd, text, strlen(text));
  int problem = errno;
  close(fd);
  errno = problem;
  return r;
}
#endif
