/* Users and groups: who may become whom, and what files let them do. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "errno_name.h"

static void say(const char *what, long result) {
  if (result < 0) printf("%s: %s\n", what, errno_name(errno));
  else printf("%s: %ld\n", what, result);
  fflush(stdout);
}

static void ids(const char *what) {
  unsigned r, e, s, gr, ge, gs;
  syscall(SYS_getresuid, &r, &e, &s);
  syscall(SYS_getresgid, &gr, &ge, &gs);
  printf("%s: uid %u %u %u fs %d gid %u %u %u fs %d\n", what, r, e, s, (int)syscall(SYS_setfsuid, -1), gr, ge, gs,
         (int)syscall(SYS_setfsgid, -1));
  fflush(stdout);
}

static int as(void (*run)(void)) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    run();
    fflush(stdout);
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  return status;
}

/* The calls themselves: libc's would ask other threads, too. */
#define raw(name, ...) syscall(SYS_##name, __VA_ARGS__)

static void becoming(void) {
  ids("root");
  say("setresuid 1 2 3", raw(setresuid, 1, 2, 3));
  ids("after");
  say("setuid 4", raw(setuid, 4));
  say("setuid 3", raw(setuid, 3));
  ids("after");
  say("setreuid -1 1", raw(setreuid, -1, 1));
  ids("after");
  say("setreuid 9 -1", raw(setreuid, 9, -1));
  say("setresuid 3 3 1", raw(setresuid, 3, 3, 1));
  ids("after");
  say("setfsuid 1", raw(setfsuid, 1));
  say("setfsuid 77", raw(setfsuid, 77));
  ids("after");
  say("setgid 5", raw(setgid, 5));
  say("setgid 0", raw(setgid, 0));
  say("setgroups", raw(setgroups, 0, NULL));
  say("setuid -1", raw(setuid, -1));
}

static void saved(void) {
  say("setgroups", raw(setgroups, 3, ((gid_t[]){30, 10, 20})));
  gid_t list[8];
  say("getgroups 0", raw(getgroups, 0, NULL));
  say("getgroups 2", raw(getgroups, 2, list));
  say("getgroups -1", raw(getgroups, -1, list));
  int n = raw(getgroups, 8, list);
  for (int i = 0; i < n; i++) printf("%u ", list[i]);
  printf("\n");
  say("setregid 7 8", raw(setregid, 7, 8));
  say("setreuid -1 5", raw(setreuid, -1, 5));
  ids("dropped");
  say("setuid 0", raw(setuid, 0));
  ids("still 5?");
  say("setresuid 5 5 5", raw(setresuid, 5, 5, 5));
  say("back", raw(setuid, 0));
  say("setregid 8 7", raw(setregid, 8, 7));
  ids("end");
}

static void make(const char *path, mode_t mode, uid_t uid, gid_t gid) {
  int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
  if (fd < 0 || fchown(fd, uid, gid) < 0 || fchmod(fd, mode) < 0) printf("cannot make %s\n", path);
  close(fd);
}

static void try_open(const char *path) {
  int r = open(path, O_RDONLY);
  int re = errno;
  int w = open(path, O_WRONLY);
  printf("%s: read %s write %s\n", path, r < 0 ? errno_name(re) : "yes", w < 0 ? errno_name(errno) : "yes");
  if (r >= 0) close(r);
  if (w >= 0) close(w);
}

static void drop(uid_t uid, gid_t gid) {
  raw(setgroups, 1, ((gid_t[]){50}));
  raw(setresgid, gid, gid, gid);
  raw(setresuid, uid, uid, uid);
}

static void info(const char *path) {
  struct stat st;
  if (lstat(path, &st) < 0) printf("%s: %s\n", path, errno_name(errno));
  else printf("%s: %o %u:%u\n", path, st.st_mode, st.st_uid, st.st_gid);
}

static void as_user(void) {
  drop(1000, 100);
  const char *paths[] = {"mine", "theirs", "group", "extra", "other", "none", "closed/in", "searchable/in"};
  for (int i = 0; i < 8; i++) try_open(paths[i]);
  say("list closed", open("closed", O_RDONLY | O_DIRECTORY));
  say("list searchable", open("searchable", O_RDONLY | O_DIRECTORY));
  say("chdir closed", chdir("closed"));
  say("stat closed/in", access("closed/in", F_OK));
  say("create", open("new", O_CREAT | O_WRONLY, 0644));
  say("create in open", open("open/new", O_CREAT | O_WRONLY, 0666));
  info("open/new");
  say("create unreadable", open("open/blind", O_CREAT | O_RDWR, 0));
  say("again", open("open/blind", O_RDWR));
  say("mkdir", mkdir("dir", 0755));
  say("mkdir open", mkdir("open/dir", 0755));
  say("mkdir setgid", mkdir("setgid/dir", 0755));
  say("file setgid", open("setgid/file", O_CREAT | O_WRONLY, 0644));
  info("setgid/dir");
  info("setgid/file");
  say("unlink", unlink("mine"));
  say("unlink sticky theirs", unlink("sticky/theirs"));
  say("unlink sticky mine", unlink("sticky/mine"));
  say("rename sticky theirs", rename("sticky/theirs", "sticky/x"));
  say("rename over theirs", rename("sticky/mine2", "sticky/theirs"));
  say("rmdir", rmdir("closed"));
  say("chmod mine", chmod("mine", 04755));
  say("chmod theirs", chmod("theirs", 0777));
  say("chmod setgid not member", chmod("strange", 02755));
  info("strange");
  say("chown away", chown("mine", 2000, -1));
  say("chown group", chown("mine", -1, 50));
  info("mine");
  say("chown other group", chown("mine", -1, 51));
  say("utimes now theirs", utimensat(AT_FDCWD, "theirs", NULL, 0));
  say("utimes now writable", utimensat(AT_FDCWD, "other", NULL, 0));
  struct timespec then[2] = {{1, 0}, {1, 0}};
  say("utimes then writable", utimensat(AT_FDCWD, "other", then, 0));
  say("utimes then mine", utimensat(AT_FDCWD, "mine", then, 0));
  say("link theirs", link("none", "open/link"));
  say("link mine", link("mine", "open/link2"));
  say("link writable", link("other", "open/link3"));
  say("symlink", symlink("mine", "open/symlink"));
  info("open/symlink");
  say("mknod", mknod("open/null", S_IFCHR | 0666, 0x103));
  say("fifo", mknod("open/fifo", S_IFIFO | 0600, 0));
  say("truncate theirs", truncate("theirs", 0));
  say("truncate group", truncate("group", 0));
  say("chroot", chroot("open"));
  say("access mine", access("mine", R_OK | W_OK));
  say("access theirs", access("theirs", R_OK));
  say("exec theirs", execl("theirs", "theirs", NULL));
  say("trunc on open", open("group", O_RDONLY | O_TRUNC));
  say("tmpfile", open("closed", O_TMPFILE | O_RDWR, 0600));
  say("follow sticky", open("sticky/trap", O_RDONLY));
  say("follow own sticky", (symlink("../mine", "sticky/ownlink"), open("sticky/ownlink", O_RDONLY)));
}

static void real_and_effective(void) {
  raw(setresuid, 1000, 0, 0);
  say("access as real", access("theirs", R_OK));
  say("faccessat as effective", faccessat(AT_FDCWD, "theirs", R_OK, AT_EACCESS));
  raw(setresuid, 0, 1000, 0);
  say("access as root", access("theirs", R_OK));
  say("open as 1000", open("theirs", O_RDONLY));
  raw(setfsuid, 0);
  say("open with fsuid", open("theirs", O_RDONLY));
}

static void setup(void) {
  umask(0);
  mkdir("/tmp/users", 0777);
  if (chdir("/tmp/users") < 0) return;
  chmod(".", 0755);
  mkdir("closed", 0700), mkdir("searchable", 0711), mkdir("open", 0777), mkdir("sticky", 01777), mkdir("setgid", 0777);
  if (chown("setgid", 0, 70) < 0 || chmod("setgid", 02777) < 0) printf("setgid\n");
  make("mine", 0600, 1000, 100), make("theirs", 0600, 2000, 200), make("group", 0640, 2000, 100);
  make("extra", 0060, 2000, 50), make("other", 0006, 2000, 200), make("none", 0000, 2000, 200);
  make("closed/in", 0666, 0, 0), make("searchable/in", 0666, 0, 0), make("strange", 0600, 1000, 77);
  make("sticky/theirs", 0666, 2000, 200), make("sticky/mine", 0600, 1000, 100), make("sticky/mine2", 0600, 1000, 100);
  if (symlink("../other", "sticky/trap") < 0 || lchown("sticky/trap", 3000, 300) < 0) printf("trap\n");
}

int main(void) {
  setup();
  as(becoming);
  as(saved);
  as(as_user);
  as(real_and_effective);
  say("root follows", open("sticky/trap", O_RDONLY));
  return 0;
}
