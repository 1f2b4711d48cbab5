/* Runs each program named on its command line with the same arguments, environment and input in a fresh /tmp, and
 * prints a line for each: path, wait status, standard output and standard error in hex. For recording references
 * on a real kernel in one boot. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void hex(int fd) {
  unsigned char b[4096];
  ssize_t n;
  lseek(fd, 0, SEEK_SET);
  putchar(' ');
  while ((n = read(fd, b, sizeof b)) > 0)
    for (ssize_t i = 0; i < n; i++) printf("%02x", b[i]);
}

int main(int argc, char **argv) {
  static const char input[] = "line one\nline two\nno newline";
  unshare(CLONE_NEWNS);
  for (int i = 1; i < argc; i++) {
    int in = memfd_create("in", MFD_CLOEXEC), out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
    (void)!write(in, input, sizeof input - 1);
    lseek(in, 0, SEEK_SET);
    mount("tmpfs", "/tmp", "tmpfs", 0, 0);
    pid_t child = fork();
    if (child == 0) {
      char *const arguments[] = {argv[i], "alpha", "beta gamma", NULL}, *const environment[] = {"HOME=/root", "LANG=C", NULL};
      dup2(in, 0), dup2(out, 1), dup2(err, 2);
      close_range(3, ~0U, 0);
      execve(argv[i], arguments, environment);
      _exit(127);
    }
    int status;
    waitpid(child, &status, 0);
    umount("/tmp");
    printf("%s %d", argv[i], status);
    hex(out), hex(err);
    putchar('\n');
    close(in), close(out), close(err);
  }
  return 0;
}
