/* inotify: what is told of files and folders, by whatever calls; how watches are made, changed and lost; how events are read. */
#include "call.h"
#include <dirent.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <limits.h>

#define ROOT "/tmp/watched"
static const struct { unsigned bit; const char *name; } BITS[] = {
  {IN_ACCESS, "access"}, {IN_MODIFY, "modify"}, {IN_ATTRIB, "attrib"}, {IN_CLOSE_WRITE, "close-write"}, {IN_CLOSE_NOWRITE, "close"}, {IN_OPEN, "open"}, {IN_MOVED_FROM, "from"}, {IN_MOVED_TO, "to"},
  {IN_CREATE, "create"}, {IN_DELETE, "delete"}, {IN_DELETE_SELF, "delete-self"}, {IN_MOVE_SELF, "move-self"}, {IN_UNMOUNT, "unmount"}, {IN_Q_OVERFLOW, "overflow"}, {IN_IGNORED, "ignored"}, {IN_ISDIR, "dir"},
};
static int in;
static unsigned first_cookie;

static void event(const struct inotify_event *e) {
  printf(" [%d", e->wd);
  unsigned left = e->mask;
  for (int i = 0; i < (int)(sizeof BITS / sizeof *BITS); i++) if (e->mask & BITS[i].bit) printf(" %s", BITS[i].name), left &= ~BITS[i].bit;
  if (left) printf(" %x", left);
  if (e->cookie) { if (!first_cookie) first_cookie = e->cookie; printf(" cookie +%u", e->cookie - first_cookie); }
  if (e->len) printf(" '%s' %u", e->name, e->len);
  printf("]");
}

/* All that there is to be read. */
static void told(const char *what) {
  char bytes[65536];
  ssize_t got;
  printf("%s:", what);
  while ((got = read(in, bytes, sizeof bytes)) > 0) for (char *at = bytes; at < bytes + got; at += sizeof(struct inotify_event) + ((struct inotify_event *)at)->len) event((void *)at);
  puts(got < 0 && errno != EAGAIN ? " cannot read" : "");
}

static int watch(const char *path, unsigned mask) { return inotify_add_watch(in, path, mask); }
static void make(const char *path) { close(open(path, O_CREAT | O_WRONLY, 0644)); }
static void start(void) {
  in = inotify_init1(IN_NONBLOCK), first_cookie = 0;
  mkdir(ROOT, 0755), chdir(ROOT);
}

static void calls(void) {
  int fd, fds[2];
  char text[64];
  struct stat st;
  make("file"), mkdir("folder", 0755);
  is("root", watch(".", IN_ALL_EVENTS)), is("file", watch("file", IN_ALL_EVENTS)), is("folder", watch("folder", IN_ALL_EVENTS));
  fd = open("file", O_RDWR), told("open"), write(fd, "abc", 3), told("write"), write(fd, "abc", 0), told("write nothing"), lseek(fd, 0, SEEK_SET), read(fd, text, 2), told("read"), read(fd, text, 9), read(fd, text, 9), told("read to the end");
  pwrite(fd, "x", 1, 0), pread(fd, text, 1, 0), told("positions"), ftruncate(fd, 100), told("ftruncate"), ftruncate(fd, 100), told("ftruncate, same size"), truncate("file", 5), told("truncate"), fallocate(fd, 0, 0, 50), told("fallocate");
  fstat(fd, &st), lseek(fd, 0, SEEK_SET), fsync(fd), told("stat, seek, sync"), fchmod(fd, 0600), told("fchmod"), fchown(fd, 0, 0), told("fchown");
  struct timespec both[2] = {{5, 0}, {6, 0}}, access_only[2] = {{5, 0}, {0, UTIME_OMIT}}, modify_only[2] = {{0, UTIME_OMIT}, {6, 0}}, none[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  futimens(fd, both), told("both times"), futimens(fd, access_only), told("access time"), futimens(fd, modify_only), told("modify time"), futimens(fd, none), told("no time"), futimens(fd, NULL), told("now");
  int copy = dup(fd);
  close(copy), told("close a copy"), close(fd), told("close"), fd = open("file", O_RDONLY), close(fd), told("read only"), fd = open("file", O_PATH), close(fd), told("path only"), fd = open("file", O_WRONLY | O_TRUNC), told("truncated by open"), close(fd), told("close");
  fd = open("new", O_CREAT | O_RDWR, 0644), told("create"), close(fd), told("close"), fd = open("new", O_CREAT | O_RDWR, 0644), close(fd), told("create what is there"), open("new", O_CREAT | O_EXCL, 0644), told("exclusive"), open("nothing", O_RDONLY), told("nothing there");
  mkdir("d", 0755), told("mkdir"), mkdir("d", 0755), told("mkdir again"), symlink("file", "s"), told("symlink"), close(open("s", O_RDONLY)), told("open by link"), link("file", "l"), told("link"), close(open("l", O_RDONLY)), told("open by other name"), chmod("l", 0644), told("chmod by other name"), mknod("fifo", S_IFIFO | 0600, 0), told("fifo");
  unlink("l"), told("unlink"), unlink("s"), told("unlink link"), rmdir("d"), told("rmdir"), unlink("new"), told("unlink last"), unlink("nothing"), told("unlink nothing"), unlink("fifo"), told("unlink fifo");
  rename("file", "moved"), told("rename"), rename("moved", "folder/file"), told("into a folder"), make("other"), told("made"), rename("folder/file", "other"), told("over another"), rename("other", "file"), told("back");
  make("folder/a"), told("in the folder"), rename("folder", "folder2"), told("rename the folder"), chmod("folder2", 0700), told("chmod of it"), close(open("folder2", O_RDONLY | O_DIRECTORY)), told("open it");
  DIR *dir = opendir("folder2");
  told("opendir"), readdir(dir), told("readdir"), closedir(dir), told("closedir");
  is("exchange", syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "folder2", 2)), told("exchanged"), syscall(SYS_renameat2, AT_FDCWD, "file", AT_FDCWD, "folder2", 2), told("exchanged again");
  fd = open("file", O_RDWR), write(fd, "0123456789", 10), told("written");
  int to = open("target", O_CREAT | O_RDWR, 0600);
  told("target"), lseek(fd, 0, SEEK_SET), sendfile(to, fd, NULL, 5), told("sendfile"), syscall(SYS_copy_file_range, fd, NULL, to, NULL, 3, 0), told("copy_file_range"), close(to), pipe(fds), told("pipe");
  char *page = mmap(NULL, PG, RW, MAP_SHARED, fd, 0);
  page[0] = 1, told("a store to a mapping"), munmap(page, PG), close(fd), told("closed"), is("access", access("file", R_OK)), chdir("folder2"), chdir(".."), told("access, chdir");
  unlink("folder2/a"), told("emptied"), rmdir("folder2"), told("rmdir"), unlink("file"), told("unlink file"), unlink("target"), chdir("/"), told("leave"), is("remove", rmdir(ROOT)), told("all gone");
}

static void unlinked(void) {
  make("file"), watch(".", IN_ALL_EVENTS), watch("file", IN_ALL_EVENTS);
  int fd = open("file", O_RDWR);
  told("open"), unlink("file"), told("unlinked"), write(fd, "a", 1), told("written"), fchmod(fd, 0600), told("fchmod"), close(fd), told("closed");
  make("file"), told("made"), watch(".", IN_ALL_EVENTS | IN_EXCL_UNLINK), is("file", watch("file", IN_ALL_EVENTS | IN_EXCL_UNLINK)), fd = open("file", O_RDWR), unlink("file"), told("excluded"), write(fd, "a", 1), fchmod(fd, 0600), told("written"), close(fd), told("closed");
  make("a"), make("b"), watch("b", IN_ALL_EVENTS), told("made"), fd = open("b", O_RDONLY), rename("a", "b"), told("replaced while open"), close(fd), told("closed"), unlink("b"), told("unlinked");
  mkdir("d", 0700), watch("d", IN_ALL_EVENTS), fd = open("d", O_RDONLY), told("folder"), rmdir("d"), told("removed"), close(fd), told("closed");
}

static void watches(void) {
  char long_path[PATH_MAX + 10];
  make("file"), mkdir("folder", 0755), symlink("file", "s"), symlink("folder", "sd");
  is("no bits", watch("file", 0)), is("flags alone", watch("file", IN_ONESHOT)), is("isdir", watch("file", IN_ISDIR)), is("unknown", watch("file", IN_OPEN | 0x1000)), is("unknown, high", watch("file", IN_OPEN | 0x08000000)), is("unmount", watch("file", IN_UNMOUNT)), is("nothing there", watch("nothing", IN_OPEN)), is("empty", watch("", IN_OPEN)), is("wild", watch((char *)8, IN_OPEN));
  memset(long_path, 'a', sizeof long_path), long_path[PATH_MAX + 5] = 0, is("long", watch(long_path, IN_OPEN));
  is("file", watch("file", IN_OPEN)), is("again", watch("file", IN_ATTRIB)), is("by link", watch("s", IN_OPEN)), is("the link", watch("s", IN_OPEN | IN_DONT_FOLLOW)), is("folder only", watch("file", IN_OPEN | IN_ONLYDIR)), is("folder", watch("folder", IN_OPEN | IN_ONLYDIR)), is("folder by link", watch("sd", IN_OPEN | IN_ONLYDIR)), is("link only", watch("sd", IN_OPEN | IN_ONLYDIR | IN_DONT_FOLLOW));
  is("create", watch("file", IN_OPEN | IN_MASK_CREATE)), is("add and create", watch("file", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD)), is("bad file", inotify_add_watch(99, "file", IN_OPEN)), is("no inotify", inotify_add_watch(1, "file", IN_OPEN)), is("bad file and bits", inotify_add_watch(99, "file", 0)), is("bad file, add and create", inotify_add_watch(99, "file", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD)), is("no inotify, add and create", inotify_add_watch(1, "file", IN_OPEN | IN_MASK_CREATE | IN_MASK_ADD));
  told("nothing yet");
  watch("file", IN_OPEN), close(open("file", O_RDONLY)), chmod("file", 0600), told("open alone"), watch("file", IN_ATTRIB | IN_MASK_ADD), close(open("file", O_RDONLY)), chmod("file", 0600), told("both"), watch("file", IN_CLOSE), close(open("file", O_RDONLY)), chmod("file", 0600), told("replaced");
  is("remove", inotify_rm_watch(in, 1)), told("removed"), is("again", inotify_rm_watch(in, 1)), is("0", inotify_rm_watch(in, 0)), is("-1", inotify_rm_watch(in, -1)), is("bad file", inotify_rm_watch(99, 1)), is("no inotify", inotify_rm_watch(1, 1)), is("new number", watch("file", IN_OPEN));
  is("once", watch("folder", IN_CREATE | IN_ONESHOT)), mkdir("folder/a", 0700), mkdir("folder/b", 0700), told("once"), is("after it", watch("folder", IN_CREATE)), is("once, added", watch("folder", IN_DELETE | IN_ONESHOT | IN_MASK_ADD)), rmdir("folder/a"), rmdir("folder/b"), told("once more");
  is("flags", inotify_init1(1)), is("closed on exec", fcntl(inotify_init1(IN_CLOEXEC), F_GETFD)), is("flags of the file", fcntl(in, F_GETFL));
  fflush(stdout);
  chmod("file", 0);
  if (fork() == 0) { setresuid(5, 5, 5), is("unreadable", watch("file", IN_OPEN)), is("folder", watch("folder", IN_OPEN)), _exit((fflush(stdout), 0)); }
  wait(NULL);
  char path[64], text[256];
  snprintf(path, sizeof path, "/proc/self/fd/%d", in), text[readlink(path, text, sizeof text - 1)] = 0, puts(text);
}

static void reading(void) {
  char bytes[256];
  int left = -1;
  make("file"), watch(".", IN_ALL_EVENTS), told("nothing"), is("empty", read(in, bytes, sizeof bytes)), is("FIONREAD", ioctl(in, FIONREAD, &left)), printf("%d\n", left);
  struct pollfd p = {in, POLLIN | POLLOUT | POLLRDNORM, 0};
  is("poll", poll(&p, 1, 0)), printf("%x\n", p.revents), chmod("file", 0600), is("poll", poll(&p, 1, 0)), printf("%x\n", p.revents), ioctl(in, FIONREAD, &left), printf("%d\n", left);
  is("too small", read(in, bytes, 16)), is("31", read(in, bytes, 31)), is("none", read(in, bytes, 0)), is("wild", read(in, (void *)8, 100)), is("lost", read(in, bytes, 100)), chmod("file", 0600), is("32", read(in, bytes, 32)), is("write", write(in, bytes, 32)), is("lseek", lseek(in, 0, SEEK_SET)), is("pread", pread(in, bytes, 32, 0));
  chmod("file", 0600), chmod("file", 0600), told("same twice"), chmod("file", 0600), unlink("nothing"), make("x"), chmod("file", 0600), chmod("x", 0600), told("others between"), rename("x", "a_name_of_more_than_fifteen"), rename("a_name_of_more_than_fifteen", "a_name_of_15bytes"), rename("a_name_of_15bytes", "fifteen_letters"), rename("fifteen_letters", "sixteen__letters"), told("lengths of names");
  chmod("file", 0600), make("y"), is("one at a time", read(in, bytes, 40)), told("the rest");
  int epoll = epoll_create1(0);
  struct epoll_event ready = {EPOLLIN}, out;
  is("epoll", epoll_ctl(epoll, EPOLL_CTL_ADD, in, &ready)), is("wait", epoll_wait(epoll, &out, 1, 0)), chmod("file", 0600), is("wait", epoll_wait(epoll, &out, 1, 0)), told("read"), is("wait", epoll_wait(epoll, &out, 1, 0));
  int second = inotify_init1(IN_NONBLOCK), first = in;
  inotify_add_watch(second, "file", IN_ATTRIB), chmod("file", 0600), told("first"), in = second, told("second"), in = first;
  fcntl(in, F_SETFL, 0);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) { usleep(50000), chmod("file", 0644), _exit(0); }
  is("waits", read(in, bytes, sizeof bytes) > 0), waitpid(child, NULL, 0);
}

static void limits(void) {
  char text[32];
  strcpy(text, text_of("/proc/sys/fs/inotify/max_queued_events")), printf("queue %s", text), printf("instances %s", text_of("/proc/sys/fs/inotify/max_user_instances"));
  is("set", put("/proc/sys/fs/inotify/max_queued_events", "3")), is("negative", put("/proc/sys/fs/inotify/max_queued_events", "-1"));
  int was = in;
  in = inotify_init1(IN_NONBLOCK), watch(".", IN_ALL_EVENTS);
  for (int i = 0; i < 3; i++) make("file"), unlink("file");
  told("overflow"), make("file"), told("and on"), put("/proc/sys/fs/inotify/max_queued_events", text), close(in), in = was;
  put("/proc/sys/fs/inotify/max_user_instances", "3");
  int a = inotify_init1(0), b = inotify_init1(0), c = inotify_init1(0);
  printf("%d %d %d %s\n", a > 0, b > 0, c > 0, errno_name(errno)), close(a), is("one closed", inotify_init1(0) > 0), put("/proc/sys/fs/inotify/max_user_instances", "128");
  strcpy(text, text_of("/proc/sys/fs/inotify/max_user_watches")), put("/proc/sys/fs/inotify/max_user_watches", "2");
  make("a"), make("b"), make("c"), is("a", watch("a", IN_OPEN)), is("b", watch("b", IN_OPEN)), is("c", watch("c", IN_OPEN)), is("b again", watch("b", IN_ATTRIB)), inotify_rm_watch(in, 1), is("c", watch("c", IN_OPEN)), put("/proc/sys/fs/inotify/max_user_watches", text);
}

/* A program is open as long as it runs. */
static void programs(void) {
  char bytes[65536];
  int from = open("/proc/self/exe", O_RDONLY), to = open("program", O_CREAT | O_WRONLY, 0755);
  for (ssize_t got; (got = read(from, bytes, sizeof bytes)) > 0; ) write(to, bytes, got);
  close(from), close(to), watch(".", IN_ALL_EVENTS);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) execl("program", "program", "wait", NULL), _exit(1);
  usleep(200000), told("runs"), kill(child, SIGKILL), waitpid(child, NULL, 0), usleep(50000), told("has ended");
  to = open("bad", O_CREAT | O_WRONLY, 0755), write(to, "this is no program", 18), close(to), told("no program");
  if ((child = fork()) == 0) execl("bad", "bad", NULL), _exit(1);
  waitpid(child, NULL, 0), told("not run"), unlink("bad"), unlink("program"), told("removed");
}

static void run(const char *what, void (*f)(void)) {
  printf("-- %s\n", what);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) start(), f(), fflush(stdout), _exit(0);
  int how;
  waitpid(child, &how, 0);
  if (how) printf("ended with %x\n", how);
  const char *names[] = {"file", "s", "sd", "a", "b", "c", "x", "y", "sixteen__letters"};
  for (int i = 0; i < 9; i++) { char path[64]; snprintf(path, sizeof path, ROOT "/%s", names[i]), unlink(path); }
  rmdir(ROOT "/folder"), rmdir(ROOT);
}

int main(int argc, char **argv) {
  if (argc == 2) pause();
  run("calls", calls), run("unlinked", unlinked), run("watches", watches), run("reading", reading), run("limits", limits), run("programs", programs);
  return 0;
}
