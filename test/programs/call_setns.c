/* namespaces(7): the links of /proc/PID/ns, their files, ioctl_ns(2), PIDFD_GET_*_NAMESPACE, and setns(2) with both kinds of files.
 * Numbers of namespaces are printed only of those that Linux begins with. */
#include "call.h"
#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#define NEWTIME 0x80
#define NEWNS 0x20000
#define NEWCGROUP 0x2000000
#define NEWUTS 0x4000000
#define NEWIPC 0x8000000
#define NEWUSER 0x10000000
#define NEWPID 0x20000000
#define NEWNET 0x40000000
#define GET_USERNS _IO(0xb7, 1)
#define GET_PARENT _IO(0xb7, 2)
#define GET_TYPE _IO(0xb7, 3)
#define GET_OWNER _IO(0xb7, 4)
#define GET_MNTNS_ID _IOR(0xb7, 5, uint64_t)
#define PID_FROM _IOR(0xb7, 6, int)
#define TGID_FROM _IOR(0xb7, 7, int)
#define PID_IN _IOR(0xb7, 8, int)
#define TGID_IN _IOR(0xb7, 9, int)

struct mnt_info { uint32_t size, mounts; uint64_t id; };
#define MNT_INFO _IOR(0xb7, 10, struct mnt_info)

static int setns_(int fd, int flags) { return syscall(SYS_setns, fd, flags); }
static int ns(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  return open(path, O_RDONLY | O_CLOEXEC);
}
static const char *link_of(const char *path) {
  static char text[64];
  ssize_t n = readlink(path, text, sizeof text - 1);
  if (n < 0) return errno_name(errno);
  text[n] = 0;
  /* The recorded run is in a namespace of mounts of its own. */
  if (strncmp(text, "mnt:[", 5) == 0) strcpy(text + 5, "its number]");
  return text;
}
static const char *link_of_fd(int fd) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  return fd < 0 ? errno_name(errno) : link_of(path);
}

static const char *names[] = {"net", "uts", "ipc", "pid", "pid_for_children", "user", "mnt", "cgroup", "time", "time_for_children"};
#define NAMES 10

static void links(void) {
  puts("-- links");
  struct stat st;
  stat("/proc/self/ns", &st);
  printf("folder %o links %d\n", st.st_mode, (int)st.st_nlink);
  DIR *dir = opendir("/proc/self/ns");
  for (struct dirent *e; (e = readdir(dir));) {
    char path[300];
    snprintf(path, sizeof path, "/proc/self/ns/%s", e->d_name);
    if (*e->d_name == '.') continue;
    lstat(path, &st);
    printf("%s: type %d mode %o size %d: %s\n", e->d_name, e->d_type, st.st_mode, (int)st.st_size, link_of(path));
  }
  closedir(dir);
  char small[4];
  is("readlink of 4 bytes", readlink("/proc/self/ns/pid", small, 4));
  is("no such", open("/proc/self/ns/none", O_RDONLY));
  printf("of a thread: %s\n", link_of("/proc/thread-self/ns/pid"));
  is("chmod of a link", fchmodat(AT_FDCWD, "/proc/self/ns/pid", 0600, 0));
}

static void file_of(const char *name) {
  printf("-- file of %s\n", name);
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  int fd = ns(name);
  struct stat st, again;
  struct statfs fs;
  fstat(fd, &st);
  stat(path, &again);
  fstatfs(fd, &fs);
  printf("mode %o number %lu links %d uid %d size %d blocks %d of %d same %d\n", st.st_mode, (long)st.st_ino, (int)st.st_nlink, st.st_uid,
         (int)st.st_size, (int)st.st_blocks, (int)st.st_blksize, st.st_ino == again.st_ino && st.st_dev == again.st_dev);
  printf("magic %lx block %ld name %ld\n", (long)fs.f_type, (long)fs.f_bsize, (long)fs.f_namelen);
  printf("flags %x fd link %s\n", fcntl(fd, F_GETFL), link_of_fd(fd));
  char byte = 0;
  is("read", read(fd, &byte, 1));
  is("pread", pread(fd, &byte, 1, 0));
  is("write", write(fd, &byte, 1));
  is("lseek", lseek(fd, 0, SEEK_SET));
  is("ftruncate", ftruncate(fd, 0));
  is("truncate", truncate(path, 0));
  is("fsync", fsync(fd));
  is("fchmod", fchmod(fd, 0600));
  is("fchown", fchown(fd, 1, 1));
  is("mmap", (long)mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0));
  struct pollfd p = {fd, POLLIN | POLLOUT, 0};
  int ready = poll(&p, 1, 0);
  printf("poll: %d %x\n", ready, p.revents);
  int epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN};
  is("epoll_ctl", epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  close(epoll);
  is("open for both", open(path, O_RDWR));
  is("open for writing", open(path, O_WRONLY));
  is("open with O_TRUNC", open(path, O_RDONLY | O_TRUNC));
  is("open with O_NOFOLLOW", open(path, O_RDONLY | O_NOFOLLOW));
  is("open with O_DIRECTORY", open(path, O_RDONLY | O_DIRECTORY));
  is("access R", access(path, R_OK));
  is("access W", access(path, W_OK));
  is("access X", access(path, X_OK));
  int path_fd = open(path, O_PATH);
  is("ioctl of O_PATH", ioctl(path_fd, GET_TYPE));
  is("setns of O_PATH", setns_(path_fd, 0));
  close(path_fd);
  close(fd);
}

static void ioctls(void) {
  puts("-- ioctl");
  for (int i = 0; i < NAMES; i++) {
    int fd = ns(names[i]);
    printf("%s: type %x", names[i], ioctl(fd, GET_TYPE));
    int user = ioctl(fd, GET_USERNS);
    printf(" user %s", link_of_fd(user));
    if (user >= 0) printf(" cloexec %d", fcntl(user, F_GETFD)), close(user);
    int parent = ioctl(fd, GET_PARENT);
    printf(" parent %s\n", link_of_fd(parent));
    int owner = 77;
    is(" owner", ioctl(fd, GET_OWNER, &owner));
    printf(" %d\n", owner);
    is(" owner to nowhere", ioctl(fd, GET_OWNER, 8));
    uint64_t id = 0;
    is(" mounts", ioctl(fd, GET_MNTNS_ID, &id));
    printf(" %d\n", id != 0);
    is(" mounts to nowhere", ioctl(fd, GET_MNTNS_ID, 8));
    is(" pid from", ioctl(fd, PID_FROM, getpid()) == getpid() ? 0 : -1);
    is(" pid in", ioctl(fd, PID_IN, getpid()) == getpid() ? 0 : -1);
    is(" pid from nobody", ioctl(fd, PID_FROM, 30000));
    is(" group in nobody", ioctl(fd, TGID_IN, 30000));
    is(" group from 0", ioctl(fd, TGID_FROM, 0));
    is(" unknown", ioctl(fd, _IO(0xb7, 99)));
    is(" owner in another size", ioctl(fd, _IOR(0xb7, 4, int), &owner));
    struct mnt_info info = {7, 0, 0};
    is(" info", ioctl(fd, MNT_INFO, &info));
    printf(" size %u same id %d\n", info.size, info.id == id);
    is(" info to nowhere", ioctl(fd, MNT_INFO, NULL));
    is(" info to a bad place", ioctl(fd, MNT_INFO, 8));
    is(" info too small", ioctl(fd, _IOR(0xb7, 10, int), &info));
    is(" next too small", ioctl(fd, _IOR(0xb7, 11, int), &info));
    close(fd);
  }
}

static const int flags_of[] = {NEWNET, NEWUTS, NEWIPC, NEWPID, NEWPID, NEWUSER, NEWNS, NEWCGROUP, NEWTIME, NEWTIME};

static void enters(const char *what) {
  printf("-- setns %s\n", what);
  for (int i = 0; i < NAMES; i++) {
    int fd = ns(names[i]);
    printf("%s", names[i]);
    is(" 0", setns_(fd, 0));
    is(" its flag", setns_(fd, flags_of[i]));
    is(" another flag", setns_(fd, i == 0 ? NEWPID : NEWNET));
    is(" a further flag", setns_(fd, flags_of[i] | NEWNET | NEWUTS));
    close(fd);
  }
}
static void enter_all(void) { enters("by root"); }

static void others(void) {
  puts("-- setns of other files");
  is("no file", setns_(-1, 0));
  is("no file, bad flags", setns_(99, -1));
  int null = open("/dev/null", O_RDONLY), folder = open("/proc/self", O_RDONLY), list = open("/proc/self/ns", O_RDONLY);
  is("/dev/null", setns_(null, 0));
  is("/dev/null", setns_(null, NEWPID));
  is("/proc/PID", setns_(folder, NEWPID));
  is("/proc/PID/ns", setns_(list, NEWPID));
  puts("-- setns of a pidfd");
  int self = syscall(SYS_pidfd_open, getpid(), 0);
  static const unsigned flags[] = {0, NEWTIME, NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET, 1, 0x100, 0x10000,
                              NEWNS | NEWUTS | NEWIPC | NEWPID | NEWCGROUP | NEWNET | NEWTIME, NEWUSER | NEWNET, NEWNS | NEWNET,
                              NEWPID | 1, 0x80000000};
  for (unsigned i = 0; i < sizeof flags / sizeof *flags; i++) {
    printf("%x", flags[i]);
    is("", setns_(self, flags[i]));
  }
  int child = fork();
  if (child == 0) _exit(0);
  int fd = syscall(SYS_pidfd_open, child, 0);
  siginfo_t info;
  waitid(P_PID, child, &info, WEXITED | WNOWAIT);
  char path[64];
  puts("-- a zombie");
  for (int i = 0; i < NAMES; i++) {
    snprintf(path, sizeof path, "/proc/%d/ns/%s", child, names[i]);
    printf("%s: %s", names[i], link_of(path));
    is(" open", open(path, O_RDONLY) < 0 ? -1 : 0);
  }
  is("setns", setns_(fd, NEWUTS));
  is("setns, flags", setns_(fd, 0));
  is("ioctl", ioctl(fd, _IO(0xff, 5), 0));
  waitpid(child, NULL, 0);
  is("setns when gone", setns_(fd, NEWUTS));
  is("setns when gone, flags", setns_(fd, 0));
  is("ioctl when gone", ioctl(fd, _IO(0xff, 5), 0));
}

static void pid_file(void) {
  puts("-- ioctl of a pidfd");
  int self = syscall(SYS_pidfd_open, getpid(), 0);
  for (int i = 0; i < 14; i++) {
    int fd = ioctl(self, _IO(0xff, i), 0);
    printf("%d: %s", i, link_of_fd(fd));
    if (fd >= 0) printf(" cloexec %d", fcntl(fd, F_GETFD));
    is(" with an argument", ioctl(self, _IO(0xff, i), 1));
    close(fd);
  }
  is("another kind", ioctl(self, _IO(0xb7, 3), 0));
}

static int in_numbers(void) { return getpid(); }
static void show_child(const char *what) {
  fflush(stdout);
  int child = fork();
  if (child == 0) {
    printf("%s: getpid %s 1\n", what, getpid() == 1 ? "is" : "is not");
    _exit(0);
  }
  if (child < 0) is(what, -1);
  else waitpid(child, NULL, 0);
}

/* A process that stays, as number 1 of a new namespace; its number outside. */
static int keep(int *ready) {
  int ends[2];
  pipe(ends);
  int child = syscall(SYS_clone, NEWPID | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    write(ends[1], "x", 1);
    for (;;) pause();
  }
  char byte;
  read(ends[0], &byte, 1);
  (void)ready;
  return child;
}

static int same(int a, int b) {
  struct stat x, y;
  fstat(a, &x);
  fstat(b, &y);
  return x.st_ino == y.st_ino;
}
static int open_of(int pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, name);
  return open(path, O_RDONLY);
}

static void numbers(void) {
  puts("-- namespaces of process numbers");
  int init = keep(NULL);
  int inner = open_of(init, "pid"), outer = ns("pid"), children = open_of(init, "pid_for_children");
  printf("same as outer %d, as for its children %d\n", same(inner, outer), same(inner, children));
  is("type", ioctl(inner, GET_TYPE));
  int parent = ioctl(inner, GET_PARENT);
  printf("parent is outer %d\n", same(parent, outer));
  is("its 1 is", ioctl(inner, PID_FROM, 1) == init ? 0 : -1);
  is("group of its 1", ioctl(inner, TGID_FROM, 1) == init ? 0 : -1);
  is("its 2", ioctl(inner, PID_FROM, 2));
  is("what it calls init", ioctl(inner, PID_IN, init));
  is("and its group", ioctl(inner, TGID_IN, init));
  is("what it calls me", ioctl(inner, PID_IN, getpid()));
  is("setns", setns_(inner, NEWPID));
  printf("pid stays %d", same(ns("pid"), outer));
  printf(" pid_for_children goes %d\n", same(ns("pid_for_children"), inner));
  show_child("in it");
  is("its 2 after", ioctl(inner, PID_FROM, 2));
  is("thread", syscall(SYS_clone, 0x10900, 0, 0, 0, 0));
  is("unshare again", unshare(NEWPID));
  is("setns back", setns_(outer, 0));
  printf("pid_for_children is back %d\n", same(ns("pid_for_children"), outer));
  int pidfd = syscall(SYS_pidfd_open, init, 0);
  is("setns by pidfd", setns_(pidfd, NEWPID));
  printf("pid_for_children goes %d\n", same(ns("pid_for_children"), inner));
  int child = fork();
  if (child == 0) {
    printf("inside: getpid %d of %d\n", getpid(), getppid());
    is("setns to the outer one", setns_(outer, 0));
    is("setns to its own", setns_(inner, 0));
    is("parent", ioctl(inner, GET_PARENT));
    is("parent of the outer one", ioctl(outer, GET_PARENT));
    is("1 from the outer one", ioctl(outer, PID_FROM, getppid()));
    is("mounts after", ioctl(ns("mnt"), _IOR(0xb7, 11, struct mnt_info), 0));
    is("unshare", unshare(NEWPID));
    printf("nobody was born yet: %s", link_of("/proc/self/ns/pid_for_children"));
    printf("\n");
    is("open", open("/proc/self/ns/pid_for_children", O_RDONLY));
    _exit(0);
  }
  waitpid(child, NULL, 0);
  is("back", setns_(outer, 0));
  is("unshare", unshare(NEWPID));
  printf("nobody was born yet: %s\n", link_of("/proc/self/ns/pid_for_children"));
  int self = syscall(SYS_pidfd_open, getpid(), 0);
  int unborn = ioctl(self, _IO(0xff, 6), 0);
  printf("by pidfd %d\n", unborn >= 0);
  show_child("first of it");
  int of = open("/proc/self/ns/pid_for_children", O_RDONLY);
  printf("after its end: same %d\n", same(of, unborn));
  show_child("another");
  is("back", setns_(outer, 0));
  is("into one that has ended", setns_(unborn, 0));
  show_child("in it");
  is("back", setns_(outer, 0));
  kill(init, SIGKILL);
  waitpid(init, NULL, 0);
  is("its 1 when gone", ioctl(inner, PID_FROM, 1));
  is("into one that was killed", setns_(inner, 0));
  show_child("in it");
  is("back", setns_(outer, 0));
}

static void mounts(void) {
  puts("-- namespace of mounts");
  char where[64];
  chdir("/proc");
  int fd = ns("mnt");
  is("setns", setns_(fd, 0));
  printf("cwd %s\n", getcwd(where, sizeof where));
  int child = syscall(SYS_clone, 0x200 | SIGCHLD, 0, 0, 0, 0);
  if (child == 0) {
    is("with a shared folder", setns_(fd, 0));
    int self = syscall(SYS_pidfd_open, getpid(), 0);
    is("by pidfd", setns_(self, NEWNS));
    is("by pidfd with another", setns_(self, NEWNS | NEWUTS));
    _exit(0);
  }
  waitpid(child, NULL, 0);
  child = vfork();
  if (child == 0) {
    int time = ns("time");
    if (setns_(time, 0) == -1) write(1, errno == EUSERS ? "shared memory: EUSERS\n" : "shared memory: other\n", 22);
    _exit(0);
  }
  waitpid(child, NULL, 0);
}

static void *second(void *unused) {
  is("time", setns_(ns("time"), 0));
  is("mnt", setns_(ns("mnt"), 0));
  is("pid", setns_(ns("pid"), 0));
  is("net", setns_(ns("net"), 0));
  is("user", setns_(ns("user"), 0));
  return unused;
}
static void threads(void) {
  puts("-- with two threads");
  pthread_t t;
  pthread_create(&t, NULL, second, NULL);
  pthread_join(t, NULL);
}

static void nobody(void) {
  int init = keep(NULL);
  int fd = open_of(init, "pid"), pidfd = syscall(SYS_pidfd_open, init, 0);
  setresuid(1000, 1000, 1000);
  enters("by nobody");
  is("its 1", ioctl(fd, PID_FROM, 1) == init ? 0 : -1);
  is("into it", setns_(fd, 0));
  is("into it by pidfd", setns_(pidfd, NEWPID));
  is("open for writing", open("/proc/self/ns/net", O_RDWR));
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/pid", getppid());
  printf("another's: %s", link_of(path));
  is(" open", open(path, O_RDONLY));
  is("pidfd ioctl", ioctl(pidfd, _IO(0xff, 5), 0));
  is("mounts after", ioctl(ns("mnt"), _IOR(0xb7, 11, struct mnt_info), 0));
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  (void)in_numbers;
  links();
  file_of("pid");
  file_of("net");
  ioctls();
  in_child(enter_all);
  in_child(others);
  pid_file();
  in_child(numbers);
  in_child(mounts);
  in_child(threads);
  in_child(nobody);
  return 0;
}
