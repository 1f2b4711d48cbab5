/* capget in its corners, and what /proc says of capabilities as the users change. */
#include <errno.h>
#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

static struct __user_cap_data_struct data[3];

static void show(const char *what, unsigned version, int pid) {
  struct __user_cap_header_struct header = {version, pid};
  memset(data, 0x55, sizeof data);
  long result = syscall(SYS_capget, &header, data);
  printf("%s: %s, version %x, %08x %08x %08x / %08x %08x %08x / %08x\n", what, result ? errno_name(errno) : "0", header.version,
         data[0].effective, data[0].permitted, data[0].inheritable, data[1].effective, data[1].permitted, data[1].inheritable,
         data[2].effective);
}

static void status(const char *what) {
  char line[256];
  FILE *f = fopen("/proc/self/status", "r");
  printf("%s:", what);
  while (fgets(line, sizeof line, f))
    if (!strncmp(line, "Cap", 3)) printf(" %.*s", (int)strcspn(line, "\n"), line);
  puts("");
  fclose(f);
}

static void null_data(const char *what, void *header) {
  long result = syscall(SYS_capget, header, NULL);
  printf("%s without data: %s\n", what, result ? errno_name(errno) : "0");
}

static void as(unsigned real, unsigned effective, unsigned saved) {
  char what[64];
  snprintf(what, sizeof what, "as %u %u %u", real, effective, saved);
  fflush(stdout);
  if (fork() == 0) {
    if (setresuid(real, effective, saved)) puts("cannot");
    show(what, _LINUX_CAPABILITY_VERSION_3, 0), status(what);
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}

int main(void) {
  struct __user_cap_header_struct good = {_LINUX_CAPABILITY_VERSION_3, 0}, odd = {1, 0}, nobody = {_LINUX_CAPABILITY_VERSION_3, -1};
  show("version 1", _LINUX_CAPABILITY_VERSION_1, 0);
  show("version 2", _LINUX_CAPABILITY_VERSION_2, 0);
  show("version 3", _LINUX_CAPABILITY_VERSION_3, 0);
  show("own number", _LINUX_CAPABILITY_VERSION_3, getpid());
  show("no version", 0, 0);
  show("odd version", 0x12345678, 0);
  show("negative", _LINUX_CAPABILITY_VERSION_3, -1);
  show("no such process", _LINUX_CAPABILITY_VERSION_3, 30000);
  null_data("good header", &good), null_data("odd header", &odd), null_data("negative", &nobody), null_data("no header", NULL);
  printf("wild data: %s\n", syscall(SYS_capget, &good, 8L) ? errno_name(errno) : "0");
  printf("wild header: %s\n", syscall(SYS_capget, 8L, data) ? errno_name(errno) : "0");
  as(0, 0, 0), as(1, 1, 1), as(0, 1, 1), as(1, 1, 0), as(1, 0, 1), as(0, 1, 0);
  return 0;
}
