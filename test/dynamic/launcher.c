/* Runs command lines on a real kernel without address randomisation and prints, a line each: wait status (or 100000 + errno
 * when execve failed), standard output and standard error in hex. Leading words with '=' are the environment. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
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
  for (int i = 1; i < argc; i++) {
    int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC), why[2];
    char *arguments[16] = {0}, *environment[16] = {0};
    int words = 0, settings = 0;
    for (char *word = strtok(argv[i], " "); word; word = strtok(NULL, " ")) {
      if (words == 0 && strchr(word, '=')) environment[settings++] = word;
      else arguments[words++] = word;
    }
    pipe2(why, O_CLOEXEC);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      dup2(out, 1), dup2(err, 2);
      personality(ADDR_NO_RANDOMIZE);
      execve(arguments[0], arguments, environment);
      int e = errno;
      (void)!write(why[1], &e, sizeof e);
      _exit(127);
    }
    int status, e;
    close(why[1]);
    waitpid(child, &status, 0);
    if (read(why[0], &e, sizeof e) == sizeof e) status = 100000 + e;
    printf("%d", status);
    hex(out), hex(err);
    putchar('\n');
    close(out), close(err), close(why[0]);
  }
  return 0;
}
