/* prctl about capabilities: the bounding set, the ambient set, securebits, PR_SET_KEEPCAPS; what users and execve make of them. */
#include "call.h"
#include <linux/capability.h>
#include <linux/securebits.h>
#include <sys/auxv.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#define BIT(capability) (1UL << (capability))

static void show(const char *what) {
  printf("%s:", what);
  for (char *line = strtok(text_of("/proc/self/status"), "\n"); line; line = strtok(NULL, "\n"))
    if (!strncmp(line, "Cap", 3)) printf(" %.3s %s", line + 3, line + 8);
  printf(" bits %d keeps %d\n", prctl(PR_GET_SECUREBITS), prctl(PR_GET_KEEPCAPS));
}

static void set(const char *what, unsigned long effective, unsigned long permitted, unsigned long inheritable) {
  struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct sets[2] = {{effective, permitted, inheritable}, {effective >> 32, permitted >> 32, inheritable >> 32}};
  is(what, syscall(SYS_capset, &header, sets));
}

static long ambient(int what, long capability) { return prctl(PR_CAP_AMBIENT, what, capability, 0, 0); }

static void again(const char *what) {
  fflush(stdout);
  execl("/proc/self/exe", "call_prctl_caps", what, NULL);
  puts("no exec");
}

static void bounding(void) {
  is("read 0", prctl(PR_CAPBSET_READ, 0)), is("read 40", prctl(PR_CAPBSET_READ, 40)), is("read 41", prctl(PR_CAPBSET_READ, 41));
  is("read -1", prctl(PR_CAPBSET_READ, -1L)), is("drop 41", prctl(PR_CAPBSET_DROP, 41));
  is("drop chown", prctl(PR_CAPBSET_DROP, CAP_CHOWN)), is("drop 40", prctl(PR_CAPBSET_DROP, 40)), is("read 40", prctl(PR_CAPBSET_READ, 40));
  is("again", prctl(PR_CAPBSET_DROP, 40)), show("dropped");
  set("inherit it", ~0UL, ~0UL, BIT(CAP_CHOWN)), set("inherit another", ~0UL, ~0UL, BIT(CAP_KILL));
  fflush(stdout);
  if (fork() == 0) show("child"), again("bounded");
  wait(NULL);
  set("without setpcap", ~BIT(CAP_SETPCAP), ~0UL, 0), is("drop kill", prctl(PR_CAPBSET_DROP, CAP_KILL)), is("drop 41", prctl(PR_CAPBSET_DROP, 41));
}

/* Inherited though it is not in the bounding set any more. */
static void inherits(void) {
  set("inherit", ~0UL, ~0UL, BIT(CAP_KILL) | BIT(CAP_CHOWN)), is("drop kill", prctl(PR_CAPBSET_DROP, CAP_KILL));
  set("fewer of all", ~0UL, ~0UL & ~BIT(CAP_KILL), BIT(CAP_KILL)), set("fewer", BIT(CAP_SETPCAP), BIT(CAP_SETPCAP), BIT(CAP_KILL)), show("before"), again("inherited");
}

static void ambients(void) {
  is("set?", ambient(PR_CAP_AMBIENT_IS_SET, CAP_KILL)), is("raise", ambient(PR_CAP_AMBIENT_RAISE, CAP_KILL));
  set("inherit", ~0UL, ~0UL, BIT(CAP_KILL) | BIT(CAP_CHOWN) | BIT(CAP_SYS_NICE)), is("raise", ambient(PR_CAP_AMBIENT_RAISE, CAP_KILL));
  is("raise chown", ambient(PR_CAP_AMBIENT_RAISE, CAP_CHOWN)), is("raise nice", ambient(PR_CAP_AMBIENT_RAISE, CAP_SYS_NICE));
  is("set?", ambient(PR_CAP_AMBIENT_IS_SET, CAP_KILL)), is("odd", ambient(0, 5)), is("odd", ambient(5, 5)), is("41", ambient(PR_CAP_AMBIENT_IS_SET, 41));
  is("with more", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, 5, 1, 0)), is("clear one", ambient(PR_CAP_AMBIENT_CLEAR_ALL, 5)), is("odd, 41", ambient(9, 41));
  show("raised"), set("no chown", ~0UL, ~0UL, BIT(CAP_KILL) | BIT(CAP_SYS_NICE)), show("no chown");
  is("lower", ambient(PR_CAP_AMBIENT_LOWER, CAP_SYS_NICE)), is("lower again", ambient(PR_CAP_AMBIENT_LOWER, CAP_SYS_NICE)), show("lowered");
  fflush(stdout);
  if (fork() == 0) is("user 5 but for keeps", setresuid(5, 5, 5)), show("user 5"), _exit((fflush(stdout), 0));
  wait(NULL);
  if (fork() == 0) again("root with ambient");
  wait(NULL);
  if (fork() == 0) is("keep", prctl(PR_SET_KEEPCAPS, 1)), is("user 5", setresuid(5, 5, 5)), show("kept"), is("raise", ambient(PR_CAP_AMBIENT_RAISE, CAP_KILL)), show("raised"), again("user 5 with ambient");
  wait(NULL);
  if (fork() == 0) is("fixup no more", prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)), is("users 5 6", setresuid(5, 6, 6)), show("two users"), again("two users with ambient");
  wait(NULL);
  if (fork() == 0) is("no new", prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)), is("fixup no more", prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)), is("users 5 6", setresuid(5, 6, 6)), again("no new privileges");
  wait(NULL);
  is("clear", prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)), show("cleared");
  is("no raise", prctl(PR_SET_SECUREBITS, SECBIT_NO_CAP_AMBIENT_RAISE)), is("raise", ambient(PR_CAP_AMBIENT_RAISE, CAP_KILL)), is("lower", ambient(PR_CAP_AMBIENT_LOWER, CAP_KILL));
}

static void keeps(void) {
  is("odd", prctl(PR_SET_KEEPCAPS, 2)), is("keep", prctl(PR_SET_KEEPCAPS, 1)), show("keeps");
  fflush(stdout);
  if (fork() == 0) show("child"), again("kept by exec?");
  wait(NULL);
  is("user 7", setresuid(7, 7, 7)), show("as user 7"), set("effective again", BIT(CAP_KILL), BIT(CAP_KILL) | BIT(CAP_SETUID), 0), show("as user 7");
  is("odd", prctl(PR_SET_KEEPCAPS, 2)), is("off", prctl(PR_SET_KEEPCAPS, 0)), is("bits", prctl(PR_SET_SECUREBITS, 0));
  again("user 7");
}

static void bits(void) {
  is("unknown", prctl(PR_SET_SECUREBITS, 0x100)), is("all ones", prctl(PR_SET_SECUREBITS, -1L)), is("keep", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED));
  is("off", prctl(PR_SET_KEEPCAPS, 0)), is("odd", prctl(PR_SET_KEEPCAPS, 2)), is("unlock", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS)), is("none", prctl(PR_SET_SECUREBITS, 0));
  is("more", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT)), show("locked");
  is("user 3", setuid(3)), show("user 3"), is("within", prctl(PR_SET_SECUREBITS, SECBIT_KEEP_CAPS | SECBIT_KEEP_CAPS_LOCKED | SECBIT_NOROOT));
  is("user 0", setuid(0)), show("user 0");
}

static void no_root(void) {
  is("no root", prctl(PR_SET_SECUREBITS, SECBIT_NOROOT)), set("inherit", ~0UL, ~0UL, BIT(CAP_KILL)), again("root that is nobody");
}

static void no_root_ambient(void) {
  is("no root", prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED)), set("inherit", ~0UL, ~0UL, BIT(CAP_KILL)), is("raise", ambient(PR_CAP_AMBIENT_RAISE, CAP_KILL)), again("root with kill");
}

static void no_fixup(void) {
  close(open("/tmp/theirs", O_CREAT | O_WRONLY, 0600)), chown("/tmp/theirs", 77, 77);
  is("no fixup", prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP)), is("files", setfsuid(9)), show("files of 9"), is("files", setfsuid(0));
  is("seteuid", setresuid(-1, 9, -1)), show("effective 9"), is("access", access("/tmp/theirs", R_OK)), is("setuid", setresuid(9, 9, 9)), show("all 9");
  is("access", access("/tmp/theirs", R_OK)), is("back", setresuid(0, 0, 0)), show("back"), is("as 9", setresuid(9, 9, 9)), again("9, not fixed");
}

int main(int argc, char **argv) {
  if (argc == 2) { show(argv[1]), printf("secure %lu\n", getauxval(AT_SECURE)); return 0; }
  show("at first");
  puts("-- bounding set"), in_child(bounding);
  puts("-- inheritable"), in_child(inherits);
  puts("-- ambient set"), in_child(ambients);
  puts("-- keepcaps"), in_child(keeps);
  puts("-- securebits"), in_child(bits);
  puts("-- no root"), in_child(no_root);
  puts("-- no root with ambient"), in_child(no_root_ambient);
  puts("-- no fixup"), in_child(no_fixup);
  return 0;
}
