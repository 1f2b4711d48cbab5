/* PR_SET_MDWE and PR_GET_MDWE: arguments, what mmap and mprotect refuse then, and who inherits it. */
#include "call.h"
#include <sys/prctl.h>

#define SET 65
#define GET 66
#define REFUSE 1UL
#define NO_INHERIT 2UL
#define RX (PROT_READ | PROT_EXEC)
#define RWX (RW | PROT_EXEC)

static void get(const char *what) { is(what, prctl(GET, 0, 0, 0, 0)); }

static void arguments(void) {
  get("none");
  is("get 2", prctl(GET, 1, 0, 0, 0));
  is("get 3", prctl(GET, 0, 1, 0, 0));
  is("get 5", prctl(GET, 0, 0, 0, 1UL << 40));
  is("set 3", prctl(SET, REFUSE, 1, 0, 0));
  is("set 5", prctl(SET, REFUSE, 0, 0, 1));
  is("unknown bits", prctl(SET, 4UL, 0, 0, 0));
  is("high bits", prctl(SET, REFUSE | 1UL << 40, 0, 0, 0));
  is("no inherit alone", prctl(SET, NO_INHERIT, 0, 0, 0));
  is("nothing", prctl(SET, 0UL, 0, 0, 0));
  is("refuse", prctl(SET, REFUSE, 0, 0, 0));
  get("refuse");
  is("again", prctl(SET, REFUSE, 0, 0, 0));
  is("unset", prctl(SET, 0UL, 0, 0, 0));
  is("no inherit too", prctl(SET, REFUSE | NO_INHERIT, 0, 0, 0));
  get("still");
}

static void effects(void) {
  map(0, 4, RW, PRIV); map(4, 2, RX, PRIV); map(6, 2, RWX, PRIV); map(8, 2, PROT_NONE, PRIV); map(10, 2, RW, SHAR);
  strcpy(AT(0), "kept");
  prctl(SET, REFUSE, 0, 0, 0);
  at("map rwx", map(20, 1, RWX, PRIV));
  at("map wx", map(20, 1, PROT_WRITE | PROT_EXEC, PRIV));
  at("map rx", map(20, 1, RX, PRIV));
  at("map x", map(21, 1, PROT_EXEC, PRIV));
  at("map rw", map(22, 1, RW, PRIV));
  at("map rwx shared", map(24, 1, RWX, SHAR));
  at("map rwx anywhere", mmap(0, PG, RWX, PRIV, -1, 0));
  at("map rwx, also a bad flag", mmap(0, PG, RWX, MAP_ANONYMOUS, -1, 0));
  at("map rwx, length 0", mmap(0, 0, RWX, PRIV, -1, 0));
  at("map rwx over a mapping", map(0, 1, RWX, PRIV));
  printf("it is %s\n", touch(AT(0), 0)[0] == 'o' ? AT(0) : "gone");
  is("rw to rx", mprotect(AT(0), PG, RX));
  is("rw to rwx", mprotect(AT(0), PG, RWX));
  is("rw to x", mprotect(AT(0), PG, PROT_EXEC));
  is("rw to r", mprotect(AT(1), PG, PROT_READ));
  is("r to rx", mprotect(AT(1), PG, RX));
  is("rx to rx", mprotect(AT(4), PG, RX));
  is("rx to rwx", mprotect(AT(4), PG, RWX));
  is("rx to x", mprotect(AT(4), PG, PROT_EXEC));
  is("rx to rw", mprotect(AT(5), PG, RW));
  is("and back", mprotect(AT(5), PG, RX));
  is("rwx to rwx", mprotect(AT(6), PG, RWX));
  is("rwx to rx", mprotect(AT(6), PG, RX));
  is("none to x", mprotect(AT(8), PG, PROT_EXEC));
  is("shared rw to rx", mprotect(AT(10), PG, RX));
  is("rx and rw to rx", mprotect(AT(4), 4 * PG, RX));
  is("from the first on", mprotect(AT(1), 4 * PG, RX));
  is("hole", mprotect(AT(30), PG, RX));
  maps("after", 40);
  is("seal", syscall(462, AT(22), PG, 0));
  is("sealed rw to rx", mprotect(AT(22), PG, RX));
  at("mremap rwx", mremap(AT(7), PG, 3 * PG, MREMAP_MAYMOVE | MREMAP_FIXED, AT(30)));
  maps("after", 40);
}

static void grandchild(void) { get("grandchild"); }
static void child(void) { get("child"); at("map rwx", map(0, 1, RWX, PRIV)); in_child(grandchild); }
static void inherited(void) { prctl(SET, REFUSE, 0, 0, 0); in_child(child); }
static void not_inherited(void) { prctl(SET, REFUSE | NO_INHERIT, 0, 0, 0); get("both"); at("map rwx", map(0, 1, RWX, PRIV)); in_child(child); }

static char *self;
static void run(char *how) { fflush(stdout); execl(self, self, how, NULL); puts("no exec"); }
static void exec_refuse(void) { prctl(SET, REFUSE, 0, 0, 0); run("exec"); }
static void exec_both(void) { prctl(SET, REFUSE | NO_INHERIT, 0, 0, 0); run("exec"); }

int main(int argc, char **argv) {
  if (argc > 1 && !strcmp(argv[1], "exec")) { get("after exec"); at("map rwx", map(0, 1, RWX, PRIV)); return 0; }
  self = argv[0];
  in_child(arguments);
  in_child(effects);
  in_child(inherited);
  in_child(not_inherited);
  in_child(exec_refuse);
  in_child(exec_both);
  get("parent");
  return 0;
}
