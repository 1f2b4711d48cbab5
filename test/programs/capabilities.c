/* capget in its corners, and what /proc says of capabilities as the users change. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
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

static void set(const char *what, int pid, unsigned long effective, unsigned long permitted, unsigned long inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, pid};
  struct __user_cap_data_struct sets[2] = {{effective, permitted, inheritable}, {effective >> 32, permitted >> 32, inheritable >> 32}};
  long result = syscall(SYS_capset, &header, sets);
  printf("set %s: %s\n", what, result ? errno_name(errno) : "0");
}

static void try(const char *what, int result) { printf("  %s: %s\n", what, result ? errno_name(errno) : "0"); }

/* What is allowed with some sets only. */
static void attempt(const char *what, unsigned long effective) {
  fflush(stdout);
  if (fork() == 0) {
    set(what, 0, effective, ~0UL, 0), status(what);
    try("read another's file", access("/tmp/theirs", R_OK)), try("by the effective user", faccessat(AT_FDCWD, "/tmp/theirs", R_OK, AT_EACCESS));
    try("write it", -(open("/tmp/theirs", O_WRONLY) < 0)), try("look into a folder", -(open("/tmp/folder/x", O_RDONLY) < 0 && errno != ENOENT));
    try("make a file there", -(open("/tmp/folder/y", O_CREAT | O_WRONLY, 0600) < 0)), unlink("/tmp/folder/y");
    try("chmod", chmod("/tmp/theirs", 0600)), try("chown", chown("/tmp/theirs", 77, 77)), try("mknod", mknod("/tmp/node", S_IFCHR | 0600, makedev(1, 3))), unlink("/tmp/node");
    try("kill", kill(getppid(), 0)), try("chroot", chroot("/"));
    try("setfsuid", setfsuid(5) == 0 ? 0 : -1), status("files user 5"), setfsuid(0), status("files user 0 again");
    try("setgid", setgid(3)), try("setuid", setuid(9)), status("user 9");
    fflush(stdout);
    _exit(0);
  }
  wait(NULL);
}

/* Dropped for good, or back by exec. */
static void drop(int argc, char **argv) {
  fflush(stdout);
  if (fork() == 0) {
    set("more than there is", 0, ~0UL, 0xff, 0), set("another process", 1, 0, 0, 0);
    set("few", 0, 3, 0xff, 0x100), status("few"), set("back", 0, ~0UL, ~0UL, 0), set("within", 0, 0xf0, 0xff, 0);
    set("none", 0, 0, 0, 0), status("none"), set("inheritable again", 0, 0, 0, 1);
    fflush(stdout);
    execl("/proc/self/exe", "capabilities", "again", NULL);
    _exit(1);
  }
  wait(NULL);
}

int main(int argc, char **argv) {
  if (argc == 2 && !strcmp(argv[1], "again")) return status("after exec"), 0;

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
  close(open("/tmp/theirs", O_CREAT | O_WRONLY, 0600)), mkdir("/tmp/folder", 0700);
  if (chown("/tmp/theirs", 77, 77) || chown("/tmp/folder", 77, 77)) puts("cannot chown");
  attempt("all", ~0UL), attempt("none", 0), attempt("access", 1 << 1), attempt("read and search", 1 << 2), attempt("owner", 1 << 3);
  attempt("chown", 1), attempt("users and groups", 3 << 6), attempt("kill, chroot, mknod", 1 << 5 | 1 << 18 | 1 << 27);
  drop(argc, argv);
  return 0;
}
