/* openat2(2): how a path may be resolved, and what a struct open_how may say. */
#include "call.h"
#include <sys/stat.h>
#include <sys/syscall.h>

struct open_how { uint64_t flags, mode, resolve; };
enum { RESOLVE_NO_XDEV = 1, RESOLVE_NO_MAGICLINKS = 2, RESOLVE_NO_SYMLINKS = 4, RESOLVE_BENEATH = 8, RESOLVE_IN_ROOT = 16, RESOLVE_CACHED = 32 };
#ifndef SYS_openat2
#define SYS_openat2 437
#endif

static long opened_at(int dir, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve) {
  struct open_how how = {.flags = flags, .mode = mode, .resolve = resolve};
  return syscall(SYS_openat2, dir, path, &how, sizeof how);
}

/* Where the opened file is, as /proc has it. */
static void where(const char *what, long fd) {
  char link[64], path[256] = "";
  if (fd < 0) { is(what, fd); return; }
  snprintf(link, sizeof link, "/proc/self/fd/%ld", fd);
  ssize_t got = readlink(link, path, sizeof path - 1);
  printf("%s: %s\n", what, got < 0 ? errno_name(errno) : strncmp(path, "/proc/", 6) ? path : "in /proc");
  close(fd);
}

static void edges(int dir) {
  struct { struct open_how how; uint64_t more[2]; } big = {0};
  is("a smaller structure", syscall(SYS_openat2, dir, "f", &big, sizeof big.how - 1));
  is("size 0", syscall(SYS_openat2, dir, "f", &big, 0));
  is("more than a page", syscall(SYS_openat2, dir, "f", &big, 4097));
  where("a larger one, zeroes", syscall(SYS_openat2, dir, "f", &big, sizeof big));
  big.more[1] = 1;
  is("a larger one, something set", syscall(SYS_openat2, dir, "f", &big, sizeof big));
  is("no structure", syscall(SYS_openat2, dir, "f", NULL, sizeof big.how));
  is("half of one", syscall(SYS_openat2, dir, "f", (char *)END - 8, sizeof big.how));
  is("no path", syscall(SYS_openat2, dir, NULL, &big, sizeof big.how));
  is("empty path", opened_at(dir, "", 0, 0, 0));
  is("bad directory", opened_at(99, "f", 0, 0, 0));
  is("file as directory", opened_at(0, "f", 0, 0, 0));
}

static void flags(int dir) {
  static const uint64_t bits[] = {1UL << 63, 1UL << 32, 1UL << 31, 1UL << 30, 1UL << 25, 0x4000000, 010, 04, 020, 02, 03, O_ASYNC, O_PATH | O_RDWR,
    O_PATH | O_CREAT, O_PATH | O_CLOEXEC, O_PATH | O_NOFOLLOW, O_PATH | O_LARGEFILE, O_PATH | O_TRUNC, O_PATH | O_NONBLOCK, O_DIRECTORY, O_DIRECTORY | O_CREAT,
    O_EXCL, O_LARGEFILE, O_SYNC, O_SYNC & ~O_DSYNC, O_NOCTTY, O_NONBLOCK, O_APPEND | O_WRONLY};
  for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
    char what[64];
    long fd = opened_at(dir, "f", bits[i], 0, 0);
    snprintf(what, sizeof what, "flags %#lx", (unsigned long)bits[i]);
    if (fd >= 0) { long set = fcntl(fd, F_GETFL); close(fd); printf("%s: opened, %#lx\n", what, set); } else is(what, fd);
  }
  static const uint64_t modes[] = {1, 0600, 07777, 010000, 1UL << 32};
  for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
    char what[64];
    struct stat st;
    snprintf(what, sizeof what, "mode %#lo", (unsigned long)modes[i]);
    is(what, opened_at(dir, "f", 0, modes[i], 0));
    snprintf(what, sizeof what, "mode %#lo of a new file", (unsigned long)modes[i]);
    long fd = opened_at(dir, "new", O_CREAT | O_RDWR | O_EXCL, modes[i], 0);
    if (fd < 0) { is(what, fd); continue; }
    fstat(fd, &st), printf("%s: %o\n", what, st.st_mode), close(fd), unlinkat(dir, "new", 0);
  }
  for (int bit = 0; bit < 64; bit++) {
    long fd = opened_at(dir, "f", 0, 0, 1UL << bit);
    if (fd < 0 && errno == EINVAL) continue;
    char what[64];
    if (bit == 5) { if (fd >= 0) close(fd); continue; }
    snprintf(what, sizeof what, "resolve bit %d", bit), where(what, fd);
  }
  is("cached and new", opened_at(dir, "n2", O_CREAT | O_RDWR, 0600, RESOLVE_CACHED));
  is("cached and cut", opened_at(dir, "f", O_TRUNC | O_RDWR, 0, RESOLVE_CACHED));
  is("cached and unnamed", opened_at(dir, ".", O_TMPFILE | O_RDWR, 0600, RESOLVE_CACHED));
  is("beneath and in root", opened_at(dir, "f", 0, 0, RESOLVE_BENEATH | RESOLVE_IN_ROOT));
}

static const char *const paths[] = {"f", "/f", "/opened/o/f", "sub", "sub/", "sub/g", "sub/..", "sub/../f", "..", "../o/f", "../..", "sub/../..", "sub/../../o/f", ".", "./f", "to-f", "to-f/", "to-sub/g", "to-sub",
  "to-sub/../f", "to-abs", "to-abs-dir/g", "to-up", "to-up/o/f", "to-inside", "sub/to-up-f", "sub/to-root-f", "loop", "dangling", "magic/self", "magic/self/cwd", "magic/self/cwd/f", "magic/self/fd/0",
  "/proc/self/cwd/f", "/proc/self/root/opened/o/f", "/proc/version", "to-proc", "f/", "f/..", "none", "none/f", "/", "/..", "../../../..", "sub/./g", "//f", "to-slash"};

static void table(const char *name, int dir, uint64_t flags, uint64_t resolve) {
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
    char what[128];
    snprintf(what, sizeof what, "%s %s", name, paths[i]);
    where(what, opened_at(dir, paths[i], flags, 0, resolve));
  }
}

static void making(const char *name, int dir, uint64_t resolve) {
  static const char *const made[] = {"new", "/new", "../new", "sub/../../new", "to-new", "to-abs-new", "sub/to-up-new", "to-sub/new", "dangling", "/opened/o/f", "f", "to-f", "sub", "..", "magic/self/cwd/new"};
  for (size_t i = 0; i < sizeof made / sizeof *made; i++) {
    char what[128];
    snprintf(what, sizeof what, "%s, made: %s", name, made[i]);
    where(what, opened_at(dir, made[i], O_CREAT | O_RDWR, 0600, resolve));
    snprintf(what, sizeof what, "%s, made alone: %s", name, made[i]);
    where(what, opened_at(dir, made[i], O_CREAT | O_EXCL | O_RDWR, 0600, resolve));
    unlink("/opened/o/new"), unlink("/new"), unlink("/opened/new"), unlink("/opened/o/sub/new"), unlink("/opened/o/nothing");
  }
  where("unnamed", opened_at(dir, "to-sub", O_TMPFILE | O_RDWR, 0600, resolve) < 0 ? -1 : opened_at(dir, "f", 0, 0, 0));
}

int main(void) {
  umask(022);
  mkdir("/opened", 0755), mkdir("/opened/o", 0755), mkdir("/opened/o/sub", 0755);
  close(open("/opened/o/f", O_CREAT | O_RDWR, 0644)), close(open("/opened/o/sub/g", O_CREAT | O_RDWR, 0644));
  static const char *const links[][2] = {{"f", "to-f"}, {"sub", "to-sub"}, {"/opened/o/f", "to-abs"}, {"/sub", "to-abs-dir"}, {"..", "to-up"}, {"sub/../f", "to-inside"}, {"../f", "sub/to-up-f"},
    {"../../f", "sub/to-root-f"}, {"loop", "loop"}, {"nothing", "dangling"}, {"/proc", "magic"}, {"/proc/version", "to-proc"}, {"new", "to-new"}, {"/new", "to-abs-new"}, {"../../new", "sub/to-up-new"}, {"/", "to-slash"}};
  chdir("/opened/o");
  for (size_t i = 0; i < sizeof links / sizeof *links; i++) symlink(links[i][0], links[i][1]);
  int dir = open("/opened/o", O_RDONLY | O_DIRECTORY), sub = open("/opened/o/sub", O_PATH);
  close(0), open("/opened/o/f", O_RDONLY);
  edges(dir), flags(dir);
  table("plain", dir, O_RDONLY, 0);
  table("beneath", dir, O_RDONLY, RESOLVE_BENEATH);
  table("in root", dir, O_RDONLY, RESOLVE_IN_ROOT);
  table("no links", dir, O_RDONLY, RESOLVE_NO_SYMLINKS);
  table("no links, path", dir, O_PATH | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
  table("beneath, path", dir, O_PATH | O_NOFOLLOW, RESOLVE_BENEATH);
  table("no magic", dir, O_RDONLY, RESOLVE_NO_MAGICLINKS);
  table("no magic, path", dir, O_PATH | O_NOFOLLOW, RESOLVE_NO_MAGICLINKS);
  table("one mount", dir, O_RDONLY, RESOLVE_NO_XDEV);
  table("one mount, in root", dir, O_RDONLY, RESOLVE_NO_XDEV | RESOLVE_IN_ROOT);
  table("beneath sub", sub, O_RDONLY, RESOLVE_BENEATH);
  table("sub as root", sub, O_RDONLY, RESOLVE_IN_ROOT);
  table("here", AT_FDCWD, O_RDONLY, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  table("all", dir, O_RDONLY, RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  making("plain", dir, 0), making("beneath", dir, RESOLVE_BENEATH), making("in root", dir, RESOLVE_IN_ROOT), making("no links", dir, RESOLVE_NO_SYMLINKS), making("no magic", dir, RESOLVE_NO_MAGICLINKS);
  return 0;
}
