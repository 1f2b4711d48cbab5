/* kernel.shm_rmid_forced: segments of SysV shared memory that go although nobody has removed them. */
#include "call.h"
#include <sys/shm.h>

#define FORCED "/proc/sys/kernel/shm_rmid_forced"

static int make(void) { return shmget(IPC_PRIVATE, PG, 0600); }

static void there(const char *what, int id) {
  struct shmid_ds about;
  printf("%s: %s\n", what, shmctl(id, IPC_STAT, &about) ? errno_name(errno) : "there");
}

/* A segment that a child has made, who has ended when this returns. */
static int made_by_child(void **attached) {
  int ids[2], go[2], id;
  (void)!pipe(ids), (void)!pipe(go);
  pid_t child = fork();
  if (child == 0) {
    char byte;
    id = make();
    (void)!write(ids[1], &id, sizeof id);
    if (attached) (void)!read(go[0], &byte, 1);
    _exit(0);
  }
  (void)!read(ids[0], &id, sizeof id);
  if (attached) {
    *attached = shmat(id, NULL, 0);
    (void)!write(go[1], "x", 1);
  }
  waitpid(child, NULL, 0);
  close(ids[0]), close(ids[1]), close(go[0]), close(go[1]);
  return id;
}

int main(void) {
  setvbuf(stdout, NULL, _IONBF, 0);
  void *c_at, *f_at;
  printf("at first %s", text_of(FORCED));
  int a = make(), b = made_by_child(NULL), c = made_by_child(&c_at), d = make(), g = make();
  shmdt(shmat(d, NULL, 0));
  void *g_at = shmat(g, NULL, 0);
  there("mine", a), there("a child's", b), there("a child's, attached", c), there("mine, once attached", d);
  is("2", put(FORCED, "2")), is("-1", put(FORCED, "-1")), is("1", put(FORCED, "1"));
  there("mine", a), there("a child's", b), there("a child's, attached", c), there("mine, once attached", d), there("mine, attached", g);
  shmdt(c_at);
  there("a child's, detached", c);
  shmdt(shmat(a, NULL, 0));
  there("mine, attached and detached", a);
  shmdt(g_at);
  there("mine, detached", g);
  there("a child's, made now", made_by_child(NULL));
  int f = made_by_child(&f_at);
  there("and attached", f);
  pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, NULL, 0);
  there("when another child has ended", f);
  shmdt(f_at);
  there("and detached", f);
  is("1 again", put(FORCED, "1"));
  there("mine, once attached", d);
  int h = make();
  is("remove", shmctl(h, IPC_RMID, NULL));
  there("removed", h);
  is("0", put(FORCED, "0"));
  int i = made_by_child(NULL);
  there("a child's", i);
  shmdt(shmat(i, NULL, 0));
  there("and attached once", i);
  is("1", put(FORCED, "1"));
  there("forced", i), there("mine", d);
  is("0", put(FORCED, "0"));
  int j = made_by_child(NULL);
  shmctl(j, IPC_RMID, NULL), shmctl(d, IPC_RMID, NULL);
  there("removed", d);
  return 0;
}
