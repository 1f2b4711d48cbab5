/* What the programs about userfaultfd(2) share, beside call.h. The constants are here because musl has no header for them. */
#ifndef USERFAULT_H
#define USERFAULT_H
#include "call.h"
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>

#define UFFD_USER_MODE_ONLY 1
#define EVENT_FORK 0x2
#define EVENT_REMAP 0x4
#define EVENT_REMOVE 0x8
#define EVENT_UNMAP 0x40
#define SIGBUS_INSTEAD 0x80
#define THREAD_ID 0x100
#define EXACT_ADDRESS 0x800
#define MISSING 1
#define WP 2
#define MINOR 4
#define DONTWAKE 1
#define ALLOW_HOLES 2

struct range { uint64_t start, len; };
struct api { uint64_t api, features, ioctls; };
struct reg { struct range range; uint64_t mode, ioctls; };
struct copy { uint64_t dst, src, len, mode; int64_t done; };
struct fill { struct range range; uint64_t mode; int64_t done; };
struct protect { struct range range; uint64_t mode; };
struct message {
  uint8_t event, reserved[7];
  union {
    struct { uint64_t flags, address; uint32_t thread; } fault;
    struct { uint32_t fd; } fork;
    struct { uint64_t from, to, len; } remap;
    struct { uint64_t start, end; } range;
  };
};
_Static_assert(sizeof(struct message) == 32, "struct uffd_msg");

#define IO_API _IOWR(0xAA, 0x3F, struct api)
#define IO_REGISTER _IOWR(0xAA, 0, struct reg)
#define IO_UNREGISTER _IOR(0xAA, 1, struct range)
#define IO_WAKE _IOR(0xAA, 2, struct range)
#define IO_COPY _IOWR(0xAA, 3, struct copy)
#define IO_ZEROPAGE _IOWR(0xAA, 4, struct fill)
#define IO_MOVE _IOWR(0xAA, 5, struct copy)
#define IO_WRITEPROTECT _IOWR(0xAA, 6, struct protect)
#define IO_CONTINUE _IOWR(0xAA, 7, struct fill)
#define IO_POISON _IOWR(0xAA, 8, struct fill)
#define IO_NEW _IO(0xAA, 0)

static int uffd = -1;

static long sys_userfaultfd(int flags) { return syscall(282, flags); }

/* A new file with these features. */
static int open_uffd(int flags, uint64_t features) {
  struct api a = {0xAA, features, 0};
  int fd = sys_userfaultfd(flags);
  if (ioctl(fd, IO_API, &a)) perror("UFFDIO_API");
  return fd;
}

static struct range span(void *p, long pages) { return (struct range){(uintptr_t)p, pages * PG}; }

static int register_at(void *p, long pages, int mode) {
  struct reg r = {span(p, pages), mode, 0};
  return ioctl(uffd, IO_REGISTER, &r);
}

static int unregister_at(void *p, long pages) {
  struct range r = span(p, pages);
  return ioctl(uffd, IO_UNREGISTER, &r);
}

static int copy_to(void *dst, void *src, long pages, int mode) {
  struct copy c = {(uintptr_t)dst, (uintptr_t)src, pages * PG, mode, 0};
  return ioctl(uffd, IO_COPY, &c);
}

static int fill_at(unsigned long request, void *p, long pages, int mode) {
  struct fill z = {span(p, pages), mode, 0};
  return ioctl(uffd, request, &z);
}

static int wake_at(void *p, long pages) {
  struct range r = span(p, pages);
  return ioctl(uffd, IO_WAKE, &r);
}

/* What the request left in its result field, in pages or as an error's name. */
static void left(const char *what, int r, int64_t done) {
  printf("%s: %s", what, r ? errno_name(errno) : "0");
  if (done < 0) printf(", %s\n", errno_name(-done));
  else printf(", %ld\n", (long)(done / (int64_t)PG));
}

/* A message; addresses in pages of the window. */
static void show(const char *what, struct message *m) {
  long page = (long)(m->fault.address - (uintptr_t)BASE) / (long)PG;
  printf("%s: ", what);
  switch (m->event) {
  case 0x12:
    printf("page %ld+%ld%s%s%s\n", page, (long)(m->fault.address % PG), m->fault.flags & 1 ? " write" : " read",
           m->fault.flags & 2 ? " wp" : "", m->fault.flags & 4 ? " minor" : "");
    break;
  case 0x13: printf("fork, a file: %s\n", (int)m->fork.fd > 2 ? "yes" : "no"); break;
  case 0x14:
    printf("remap %ld to %ld, %ld\n", (long)(m->remap.from - (uintptr_t)BASE) / (long)PG,
           (long)(m->remap.to - (uintptr_t)BASE) / (long)PG, (long)(m->remap.len / PG));
    break;
  case 0x15: case 0x16:
    printf("%s %ld-%ld\n", m->event == 0x15 ? "remove" : "unmap", (long)(m->range.start - (uintptr_t)BASE) / (long)PG,
           (long)(m->range.end - (uintptr_t)BASE) / (long)PG);
    break;
  default: printf("event %d\n", m->event);
  }
}

/* Waits until there is something to read, and reads it (the file is not to wait by itself). */
static int next_of(int fd, struct message *m) {
  struct pollfd p = {fd, POLLIN, 0};
  poll(&p, 1, 10000);
  return read(fd, m, sizeof *m);
}
static void next(const char *what, struct message *m) {
  memset(m, 0, sizeof *m);
  int r = next_of(uffd, m);
  if (r == sizeof *m) show(what, m);
  else is(what, r);
}

/* Waits until so many threads wait for pages. */
static void until(int total) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fdinfo/%d", uffd);
  for (;;) {
    char *line = strstr(text_of(path), "total:");
    if (line && atoi(line + 6) == total) return;
    usleep(1000);
  }
}

/* The VmFlags of a page of the window. */
static void flags_of(const char *what, void *p) {
  char *line = strtok(text_of("/proc/self/smaps"), "\n");
  int inside = 0;
  for (; line; line = strtok(NULL, "\n")) {
    unsigned long start, end;
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2 && strchr(line, '-') < strchr(line, ' '))
      inside = start <= (uintptr_t)p && (uintptr_t)p < end;
    if (inside && !strncmp(line, "VmFlags:", 8)) printf("%s:%s\n", what, line + 8);
  }
}

static char source[8 * 4096] __attribute__((aligned(4096)));

static void begin(void) {
  setvbuf(stdout, NULL, _IOFBF, 65536);
  syscall(167, 41, 1, 0, 0, 0); /* PR_SET_THP_DISABLE */
  for (int i = 0; i < 8; i++) memset(source + i * PG, 'a' + i, PG);
}
#endif
