// flags: -Wno-unused-result
/* Numbers that a process may write into its /proc, and arguments of any bytes through exec. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "errno_name.h"

static void put(const char *file, const char *text) {
  char path[64], back[64] = "";
  snprintf(path, sizeof path, "/proc/self/%s", file);
  int fd = open(path, O_RDWR);
  ssize_t n = write(fd, text, strlen(text));
  int error = errno;
  pread(fd, back, sizeof back - 1, 0);
  printf("%s \"%s\": %zd %s, reads %s", file, text, n, n < 0 ? errno_name(error) : "", back);
  close(fd);
}

static void hex(const char *what, const char *text) {
  printf("%s:", what);
  for (; *text; text++) printf(" %02x", (unsigned char)*text);
  puts("");
}

static void hex_file(const char *path) {
  char bytes[512];
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, bytes, sizeof bytes);
  printf("%s:", path);
  for (ssize_t i = 0; i < n; i++) printf(" %02x", (unsigned char)bytes[i]);
  puts("");
  close(fd);
}

int main(int argc, char **argv, char **envp) {
  if (argc > 2 && !strcmp(argv[1], "again")) {
    hex("argument", argv[2]), hex("environment", envp[0]), hex_file("/proc/self/cmdline"), hex_file("/proc/self/environ"), hex_file("/proc/self/comm");
    char link[64] = "";
    readlink("/proc/self/exe", link, sizeof link - 1), hex("exe", link);
    put("oom_score_adj", "\n");
    return 0;
  }
  static const char *const scores[] = {"1000", "-1000", "0", "0x10", "010", "-0x10", " 7 \n", "+5", "1001", "-1001", " ", "x", "5x", "1 2", "000000000012", "0000000000012", "08", "--5", "300"};
  for (size_t i = 0; i < sizeof scores / sizeof *scores; i++) put("oom_score_adj", scores[i]);
  static const char *const filters[] = {"0x7f", "0", "51", "0xffffffff", "-1", "077", "zz", "0x33\n"};
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) put("coredump_filter", filters[i]);
  fflush(stdout);
  if (fork() == 0) {
    put("oom_score_adj", "\n"), setresuid(5, 5, 5), fflush(stdout);
    _exit(0);
  }
  wait(NULL);
  char *const arguments[] = {"\xff\xfe name", "again", "\xef\xbb\xbf g\xfcr \xc3\xa4 \x80", NULL}, *const environment[] = {"\xe4=\xff\xfe\xc3", NULL};
  char name[] = "/tmp/\xc3\x28 name";
  symlink("/proc/self/exe", name);
  link("/proc/self/exe", name);
  char self[256] = "", bytes[65536];
  readlink("/proc/self/exe", self, sizeof self - 1);
  unlink(name);
  int in = open(self, O_RDONLY), out = open(name, O_CREAT | O_WRONLY, 0755);
  for (ssize_t n; (n = read(in, bytes, sizeof bytes)) > 0;) write(out, bytes, n);
  close(in), close(out), fflush(stdout);
  execve(name, arguments, environment);
  perror("exec");
  return 1;
}
