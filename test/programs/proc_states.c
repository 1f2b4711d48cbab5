/* What /proc says of locks, timers, children and calls of processes, of users; settings and files that can only be read or only be written. */
#include "call.h"
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

/* Numbers and names that differ from run to run. */
static struct { char was[32], now[16]; } names[16];
static int name_count;

static void name(const char *now, const char *was) { strcpy(names[name_count].was, was), strcpy(names[name_count++].now, now); }
static void number(const char *now, long was) { char text[32]; sprintf(text, "%ld", was), name(now, text); }

static void cat(const char *path) {
  char text[4096], *at = text;
  int fd = open(path, O_RDONLY);
  printf("%s: ", path);
  ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (got < 0) { printf("%s %s\n", fd < 0 ? "open" : "read", errno_name(errno)); close(fd); return; }
  close(fd);
  text[got] = 0;
  puts("");
  while (*at) {
    int known = -1;
    if ((at == text || at[-1] == '\n') && (!strncmp(at, "mnt_id", 6) || !strncmp(at, "ino", 3))) { at += strcspn(at, "\n") + 1; continue; }
    for (int i = 0; i < name_count && known < 0; i++) if (at > text && strchr(" .", at[-1]) && !strncmp(at, names[i].was, strlen(names[i].was)) && strchr(" \n", at[strlen(names[i].was)])) known = i;
    if (known < 0) putchar(*at++); else fputs(names[known].now, stdout), at += strlen(names[known].was);
  }
  if (got && text[got - 1] != '\n') puts("");
}

/* The call of a process: its number and arguments, but not where its stack is. */
static void call_of(const char *what, pid_t pid, int words) {
  char path[64], *text, *word;
  snprintf(path, sizeof path, "/proc/%d/syscall", pid), text = text_of(path);
  printf("%s:", what);
  word = strtok(text, " \n");
  for (int i = 0; word && i < words; i++, word = strtok(NULL, " \n")) printf(" %s", i && strlen(word) > 8 ? "address" : word);
  puts("");
}

static void write_to(const char *path, const char *text) {
  char what[128];
  snprintf(what, sizeof what, "%s <- %s", path, text), is(what, put(path, text));
}

static pid_t child(void (*f)(void)) {
  fflush(stdout);
  pid_t pid = fork();
  if (pid == 0) f(), _exit(0);
  usleep(50000);
  return pid;
}

static int first, second, whole;
static void wait_for_range(void) { struct flock all = {F_WRLCK, SEEK_SET, 0, 0}; fcntl(first, F_SETLKW, &all); }
static void wait_for_whole(void) { flock(open("/tmp/locked-whole", O_RDWR), LOCK_EX); }
static void wait_for_signal(void) { pause(); }

static long range(int fd, int command, int type, long start, long length) {
  struct flock lock = {type, SEEK_SET, start, length};
  return fcntl(fd, command, &lock);
}

static void locks(void) {
  struct stat st;
  char text[64];
  cat("/proc/locks");
  first = dup2(open("/tmp/locked-ranges", O_RDWR | O_CREAT, 0600), 20), second = dup2(open("/tmp/locked-ranges", O_RDWR), 21), whole = dup2(open("/tmp/locked-whole", O_RDWR | O_CREAT, 0600), 22);
  for (int fd = 3; fd < 20; fd++) close(fd);
  number("P", getpid());
  fstat(first, &st), snprintf(text, sizeof text, "%02lx:%02lx:%ld", st.st_dev >> 8 & 0xfff, st.st_dev & 0xff, (long)st.st_ino), name("RANGES", text);
  fstat(whole, &st), snprintf(text, sizeof text, "%02lx:%02lx:%ld", st.st_dev >> 8 & 0xfff, st.st_dev & 0xff, (long)st.st_ino), name("WHOLE", text);
  is("flock", flock(first, LOCK_EX)), is("read", range(first, F_SETLK, F_RDLCK, 10, 5)), is("write", range(first, F_SETLK, F_WRLCK, 50, 0));
  is("open file", range(second, F_OFD_SETLK, F_RDLCK, 20, 3)), is("by another number", range(second, F_SETLK, F_RDLCK, 0, 2)), is("shared", flock(whole, LOCK_SH));
  cat("/proc/locks"), cat("/proc/self/fdinfo/20"), cat("/proc/self/fdinfo/21"), cat("/proc/self/fdinfo/22");
  pid_t a = child(wait_for_range), b = child(wait_for_whole);
  number("A", a), number("B", b), cat("/proc/locks");
  kill(a, SIGKILL), kill(b, SIGKILL), wait(NULL), wait(NULL), cat("/proc/locks");
  is("longer", range(first, F_SETLK, F_RDLCK, 12, 10)), is("a hole", range(first, F_SETLK, F_UNLCK, 60, 10)), is("to shared", flock(first, LOCK_SH)), cat("/proc/locks");
  close(second), cat("/proc/locks"), close(first), close(whole), cat("/proc/locks");
}

static int wanted_kind;
static struct flock wanted;
static void want_whole(void) { flock(open("/tmp/locked-whole", O_RDWR), wanted_kind); }
static void want_range(void) { fcntl(open("/tmp/locked-ranges", O_RDWR), F_SETLKW, &wanted); }

static void want(const char *who, int kind) { wanted_kind = kind, number(who, child(want_whole)); }
static void want_bytes(const char *who, int type, long start, long length) { wanted = (struct flock){type, SEEK_SET, start, length}, number(who, child(want_range)); }

static void name_file(int fd, const char *file) {
  struct stat st;
  char text[64];
  fstat(fd, &st), snprintf(text, sizeof text, "%02lx:%02lx:%ld", st.st_dev >> 8 & 0xfff, st.st_dev & 0xff, (long)st.st_ino), name(file, text);
}

/* Who waits for those who wait. */
static void queues(void) {
  int ranges = open("/tmp/locked-ranges", O_RDWR | O_CREAT, 0600), all = open("/tmp/locked-whole", O_RDWR | O_CREAT, 0600);
  setpgid(0, 0), number("P", getpid()), name_file(ranges, "RANGES"), name_file(all, "WHOLE");
  is("flock", flock(all, LOCK_EX)), want("A", LOCK_EX), want("B", LOCK_SH), want("C", LOCK_EX), want("D", LOCK_SH);
  is("write", range(ranges, F_SETLK, F_WRLCK, 1000, 10)), is("read", range(ranges, F_SETLK, F_RDLCK, 1020, 10));
  want_bytes("E", F_WRLCK, 1000, 30), want_bytes("F", F_RDLCK, 1005, 3), want_bytes("G", F_WRLCK, 1025, 1), want_bytes("H", F_WRLCK, 1007, 1);
  cat("/proc/locks"), signal(SIGTERM, SIG_IGN), kill(0, SIGTERM);
  while (wait(NULL) > 0) ;
  cat("/proc/locks");
}

static void grow(int fd, int type, long start, long length) {
  printf("%s %ld+%ld: ", type == F_WRLCK ? "write" : type == F_RDLCK ? "read" : "free", start, length), is("", range(fd, F_SETLK, type, start, length)), cat("/proc/locks");
}

/* Which of the locks that become one is left. */
static void joined(void) {
  int ranges = open("/tmp/locked-ranges", O_RDWR | O_CREAT, 0600), other = open("/tmp/locked-whole", O_RDWR | O_CREAT, 0600);
  number("P", getpid()), name_file(ranges, "RANGES"), name_file(other, "OTHER");
  range(ranges, F_SETLK, F_WRLCK, 1010, 10), range(other, F_SETLK, F_WRLCK, 1000, 1);
  grow(ranges, F_WRLCK, 1000, 10), grow(ranges, F_WRLCK, 1030, 10), grow(ranges, F_WRLCK, 1020, 10), grow(ranges, F_WRLCK, 1005, 5), grow(ranges, F_RDLCK, 1005, 5), grow(ranges, F_RDLCK, 1000, 5);
  grow(ranges, F_RDLCK, 1008, 15), grow(ranges, F_WRLCK, 1000, 23), grow(ranges, F_UNLCK, 1000, 5), grow(ranges, F_WRLCK, 1003, 50), grow(ranges, F_WRLCK, 1000, 0);
}

static void timers(void) {
  timer_t timer;
  number("P", getpid());
  struct sigevent signal = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = 40, .sigev_value.sival_ptr = (void *)0x12345678abcdUL}, none = {.sigev_notify = SIGEV_NONE, .sigev_signo = 3}, thread = {.sigev_notify = 4, .sigev_signo = 10};
  int where = getpid();
  memcpy((char *)&thread + 16, &where, sizeof where);
  cat("/proc/self/timers");
  is("signal", syscall(SYS_timer_create, CLOCK_MONOTONIC, &signal, &timer)), is("none", syscall(SYS_timer_create, CLOCK_REALTIME, &none, &timer));
  is("default", syscall(SYS_timer_create, CLOCK_PROCESS_CPUTIME_ID, NULL, &timer)), is("thread", syscall(SYS_timer_create, CLOCK_BOOTTIME, &thread, &timer));
  cat("/proc/self/timers");
}

static void *sleep_long(void *none) { pause(); return none; }

static void calls(void) {
  pthread_t t;
  char path[64];
  pthread_create(&t, NULL, sleep_long, NULL);
  pid_t c = child(wait_for_signal), d = child(wait_for_whole), e;
  number("C", c), number("D", d), number("P", getpid());
  snprintf(path, sizeof path, "/proc/self/task/%d/children", getpid());
  is("children", strlen(text_of(path)) > 3), is("of a process", access("/proc/self/children", F_OK));
  kill(d, SIGKILL), waitpid(d, NULL, 0);
  call_of("self", getpid(), 1), call_of("waits", c, 7), kill(c, SIGSTOP), usleep(20000), call_of("stopped", c, 7), kill(c, SIGKILL), usleep(20000), call_of("dead", c, 3);
  snprintf(path, sizeof path, "/proc/%d/timers", c), is("timers of the dead", strlen(text_of(path))), snprintf(path, sizeof path, "/proc/%d/uid_map", c), is("users of the dead", strlen(text_of(path)));
  fflush(stdout);
  if ((e = fork()) == 0) { snprintf(path, sizeof path, "/proc/%d/syscall", getppid()), setuid(5); is("another's call", open(path, O_RDONLY)), _exit((fflush(stdout), 0)); }
  waitpid(e, NULL, 0);
}

static void kin(const char *what, const char *path) {
  printf("%s:", what);
  for (char *word = strtok(text_of(path), " "); word; word = strtok(NULL, " ")) {
    int known = 0;
    while (known < name_count && strcmp(names[known].was, word)) known++;
    printf(" %s", known < name_count ? names[known].now : "?");
  }
  puts("");
}

static void *other_thread(void *parents_path) {
  number("T", child(wait_for_signal)), kin("the first thread's", parents_path), kin("another's", "/proc/thread-self/children");
  is("user 5", setresuid(5, 5, 5)), write_to("/proc/self/timerslack_ns", "77"), cat("/proc/self/timerslack_ns");
  return NULL;
}

/* Children of another parent come behind its own. */
static void families(void) {
  int pipes[2];
  char path[64];
  pid_t middle, grandchild;
  pthread_t t;
  setpgid(0, 0), number("P", getpid()), snprintf(path, sizeof path, "/proc/%d/task/%d/children", getpid(), getpid()), prctl(PR_SET_CHILD_SUBREAPER, 1), pipe(pipes), fflush(stdout);
  if ((middle = fork()) == 0) grandchild = fork(), grandchild ? write(pipes[1], &grandchild, sizeof grandchild) : 0, pause(), _exit(0);
  read(pipes[0], &grandchild, sizeof grandchild), number("MIDDLE", middle), number("GRANDCHILD", grandchild), number("B", child(wait_for_signal));
  kin("two", path), kill(middle, SIGKILL), usleep(50000), kin("one is dead", path), waitpid(middle, NULL, 0), kin("and gone", path);
  pthread_create(&t, NULL, other_thread, path), pthread_join(t, NULL), usleep(50000), kin("the thread is gone", path), cat("/proc/self/timerslack_ns");
  signal(SIGTERM, SIG_IGN), kill(0, SIGTERM);
}

static void write_twice(const char *what, const char *text, size_t bytes) {
  int fd = open("/proc/self/setgroups", O_WRONLY);
  is(what, write(fd, text, bytes)), is("again", write(fd, text, bytes)), close(fd);
}

static void users(void) {
  write_twice("up to a zero", "allow\0x", 7), write_twice("a hard blank", "allow\xa0", 6), write_twice("nothing", "", 0), write_twice("no", "deny\0", 5);
  cat("/proc/self/uid_map"), cat("/proc/self/gid_map"), cat("/proc/self/projid_map"), cat("/proc/self/setgroups");
  write_to("/proc/self/uid_map", "0 0 1"), write_to("/proc/self/gid_map", "0 0 1\n"), write_to("/proc/self/projid_map", "x"), write_to("/proc/self/setgroups", "deny"), write_to("/proc/self/setgroups", "allow");
  write_to("/proc/self/setgroups", "alow"), write_to("/proc/self/setgroups", "allow \n"), write_to("/proc/self/setgroups", "allow   "), write_to("/proc/self/setgroups", "deny x");
}

static void settings(void) {
  const char *files[] = {"vm/drop_caches", "vm/stat_refresh", "kernel/ostype", "kernel/osrelease", "kernel/version", "kernel/arch", "kernel/cap_last_cap", "kernel/ngroups_max", "kernel/hostname", "fs/file-nr", "fs/aio-nr", "fs/file-max", "vm/swappiness"};
  for (int i = 0; i < (int)(sizeof files / sizeof *files); i++) {
    char path[64];
    struct stat st;
    snprintf(path, sizeof path, "/proc/sys/%s", files[i]), stat(path, &st);
    int in = open(path, O_RDONLY), in_problem = errno, out = open(path, O_WRONLY), out_problem = errno;
    printf("%s: %o, read %s", files[i], st.st_mode & 0777, in < 0 ? errno_name(in_problem) : "0"), printf(", write %s, access %d %d\n", out < 0 ? errno_name(out_problem) : "0", access(path, R_OK), access(path, W_OK));
  }
  char byte;
  write_to("/proc/sys/vm/stat_refresh", "1"), cat("/proc/sys/vm/stat_refresh"), is("clear_refs", read(open("/proc/self/clear_refs", O_RDWR), &byte, 1));
  is("coredump_filter of a thread", access("/proc/thread-self/coredump_filter", F_OK)), is("timers of a thread", access("/proc/thread-self/timers", F_OK)), is("its slack", access("/proc/thread-self/timerslack_ns", F_OK));
}

int main(void) {
  unsigned long one = 1;
  syscall(SYS_sched_setaffinity, 0, sizeof one, &one);
  puts("-- locks"), in_child(locks);
  puts("-- timers"), in_child(timers);
  puts("-- queues"), in_child(queues);
  puts("-- joined"), in_child(joined);
  puts("-- families"), in_child(families);
  puts("-- calls"), in_child(calls);
  puts("-- users"), in_child(users);
  puts("-- settings"), in_child(settings);
  return 0;
}
