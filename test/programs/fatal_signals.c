/* Signals that end a process at once, whatever its threads wait for, and those that do not: calls and handlers' frames in the middle of
 * a userfaultfd(2) wait, and the parent of vfork(2). */
#include "userfault.h"
#include <time.h>

/* How a child ended; -1 when it has not after a while. */
static int ends(pid_t child, int milliseconds) {
  int how;
  for (int i = 0; i < milliseconds; i += 5) {
    if (waitpid(child, &how, WNOHANG) == child) return how & 0x7f ? how & 0x7f : 1000 + WEXITSTATUS(how);
    usleep(5000);
  }
  return -1;
}

static volatile int caught;
static void on_signal(int sig) { caught = sig; }

/* Shared with the children: how far they are. */
static volatile int *stage;
static void until_stage(int n) { while (*stage < n) usleep(1000); }

/* A thread reads from a pipe into a page that is missing, or waits in a pipe read with nothing to read. */
static int pipe_ends[2];
static void *fill_missing(void *arg) {
  *stage = 1;
  long r = read(pipe_ends[0], AT(0), 4);
  *stage = r == 4 ? 3 : 4;
  return NULL;
}

enum { DEFAULT, CAUGHT, BLOCKED, IGNORED };

/* The child waits inside a system call for its page, in its first thread or another one, when the signal comes. */
static void during_call(const char *what, int sig, int how, int other_thread, int bring) {
  printf("%s: ", what), fflush(stdout);
  *stage = 0;
  if (pipe(pipe_ends)) perror("pipe");
  int to_child[2];
  if (pipe(to_child)) perror("pipe");
  pid_t child = fork();
  if (child == 0) {
    struct sigaction sa = {.sa_handler = how == CAUGHT ? on_signal : how == IGNORED ? SIG_IGN : SIG_DFL};
    sigaction(sig, &sa, NULL);
    if (how == BLOCKED) {
      sigset_t set;
      sigemptyset(&set), sigaddset(&set, sig), sigprocmask(SIG_BLOCK, &set, NULL);
    }
    if (write(pipe_ends[1], "data", 4) != 4) perror("write");
    map(0, 1, RW, PRIV);
    uffd = open_uffd(O_NONBLOCK, 0);
    register_at(AT(0), 1, MISSING);
    /* the reader of the file: brings the page when it is told to */
    if (fork() == 0) {
      char c;
      int ok = read(to_child[0], &c, 1) == 1 && c == 'b';
      if (ok) copy_to(AT(0), source, 1, 0);
      _exit(0);
    }
    pthread_t thread;
    if (other_thread) pthread_create(&thread, NULL, fill_missing, NULL), pause(), pthread_join(thread, NULL);
    else fill_missing(NULL);
    _exit(caught ? 100 + caught : 50);
  }
  close(to_child[0]);
  until_stage(1), usleep(60000);
  kill(child, sig);
  int how_it_ended = ends(child, 300);
  printf("at once %d, ", how_it_ended);
  if (bring && write(to_child[1], "b", 1) == 1 && how_it_ended < 0) printf("with the page %d, ", how_it_ended = ends(child, 5000));
  if (how_it_ended < 0) kill(child, SIGKILL), printf("killed %d, ", ends(child, 5000));
  printf("the call is through: %s\n", *stage == 3 ? "yes" : *stage == 4 ? "failed" : "no");
  close(to_child[1]), close(pipe_ends[0]), close(pipe_ends[1]);
}

/* The parent of vfork waits for its child; a signal may end it before. */
static void during_vfork(const char *what, int sig, int how) {
  printf("%s: ", what), fflush(stdout);
  int hold[2];
  if (pipe(hold)) perror("pipe");
  *stage = 0;
  pid_t parent = fork();
  if (parent == 0) {
    close(hold[1]);
    struct sigaction sa = {.sa_handler = how == CAUGHT ? on_signal : SIG_DFL};
    sigaction(sig, &sa, NULL);
    if (vfork() == 0) {
      char c;
      *stage = 1;
      if (read(hold[0], &c, 1)) {}
      *stage = 2;
      _exit(0);
    }
    _exit(caught ? 100 + caught : 50);
  }
  close(hold[0]);
  until_stage(1), usleep(30000);
  kill(parent, sig);
  int how_it_ended = ends(parent, 300);
  printf("at once %d, the child goes on: %d", how_it_ended, *stage == 1);
  close(hold[1]);
  until_stage(2);
  if (how_it_ended < 0) printf(", after it %d", ends(parent, 5000));
  puts("");
}

/* Several threads; the signal is blocked by all but one, or all. */
static void *sleep_on(void *arg) {
  *stage += 1;
  for (;;) pause();
}
static void among_threads(const char *what, int sig, int first_blocks, int others_block) {
  printf("%s: ", what), fflush(stdout);
  *stage = 0;
  pid_t child = fork();
  if (child == 0) {
    sigset_t set, none;
    sigemptyset(&set), sigaddset(&set, sig), sigemptyset(&none);
    pthread_t thread;
    sigprocmask(SIG_SETMASK, others_block ? &set : &none, NULL);
    for (int i = 0; i < 3; i++) { pthread_create(&thread, NULL, sleep_on, NULL); until_stage(i + 1); }
    sigprocmask(SIG_SETMASK, first_blocks ? &set : &none, NULL);
    *stage = 10;
    if (sig == SIGALRM && first_blocks) { int got; sigwait(&set, &got); _exit(got); }
    for (;;) pause();
  }
  until_stage(10), usleep(20000);
  kill(child, sig), kill(child, SIGCONT);
  int how = ends(child, 300);
  printf("%d", how);
  if (how < 0) kill(child, SIGKILL), printf(", killed %d", ends(child, 5000));
  puts("");
}

/* A handler's frame lies on a page that is gone when the handler returns. */
static char kept[4096] __attribute__((aligned(4096)));
static void *bring_frame(void *arg) {
  struct message m;
  next("the return", &m);
  fflush(stdout);
  copy_to(AT(7), kept, 1, 0);
  return NULL;
}
static void drop_frame(int sig, siginfo_t *info, void *context) {
  /* the frame begins at info, in the last page of the stack */
  memcpy(kept, AT(7), PG);
  register char *frame __asm__("s2") = (char *)info;
  register long address __asm__("a0") = (long)AT(7);
  __asm__ volatile("mv sp, %0\n li a1, 4096\n li a2, 4\n li a7, 233\n ecall\n li a7, 139\n ecall" ::"r"(frame), "r"(address) : "memory", "a1", "a2", "a7");
  __builtin_unreachable();
}
static void frame_returns(void) {
  map(0, 8, RW, PRIV);
  memset(AT(0), 0, 8 * PG);
  stack_t stack = {.ss_sp = AT(0), .ss_size = 8 * PG};
  sigaltstack(&stack, NULL);
  uffd = open_uffd(O_NONBLOCK, 0);
  register_at(AT(0), 8, MISSING);
  struct sigaction sa = {.sa_sigaction = drop_frame, .sa_flags = SA_SIGINFO | SA_ONSTACK};
  sigaction(SIGUSR1, &sa, NULL);
  pthread_t reader;
  pthread_create(&reader, NULL, bring_frame, NULL);
  usleep(20000);
  volatile int local = 42;
  syscall(SYS_tgkill, getpid(), syscall(SYS_gettid), SIGUSR1);
  printf("back: %d\n", local);
  pthread_join(reader, NULL);
}

int main(void) {
  begin();
  stage = mmap(NULL, PG, RW, SHAR, -1, 0);
  during_call("SIGKILL in a call", SIGKILL, DEFAULT, 0, 0);
  during_call("SIGTERM", SIGTERM, DEFAULT, 0, 0);
  during_call("SIGTERM, another thread's call", SIGTERM, DEFAULT, 1, 0);
  during_call("SIGUSR1", SIGUSR1, DEFAULT, 0, 0);
  during_call("a real-time signal", 40, DEFAULT, 0, 0);
  during_call("SIGTERM caught", SIGTERM, CAUGHT, 0, 1);
  during_call("SIGTERM blocked", SIGTERM, BLOCKED, 0, 1);
  during_call("SIGTERM ignored", SIGTERM, IGNORED, 0, 1);
  during_call("SIGCHLD", SIGCHLD, DEFAULT, 0, 1);
  during_call("SIGQUIT", SIGQUIT, DEFAULT, 0, 1);
  during_vfork("SIGKILL in vfork", SIGKILL, DEFAULT);
  during_vfork("SIGTERM", SIGTERM, DEFAULT);
  during_vfork("SIGTERM caught", SIGTERM, CAUGHT);
  during_vfork("SIGQUIT", SIGQUIT, DEFAULT);
  among_threads("SIGTERM among threads", SIGTERM, 0, 0);
  among_threads("blocked by the first", SIGTERM, 1, 0);
  among_threads("blocked by the others", SIGTERM, 0, 1);
  among_threads("blocked by all", SIGTERM, 1, 1);
  among_threads("waited for", SIGALRM, 1, 1);
  among_threads("a stop signal", SIGTSTP, 0, 0);
  in_child(frame_returns);
  fflush(stdout);
  return 0;
}
