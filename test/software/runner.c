/* Runs cases on the real kernel, one after the other, and prints a line for each: name, wait status, standard output and
 * standard error in hex. /cases has them: fields that end in NUL, a case being its name, the count of arguments, these, the
 * count of variables, these, its input. A case that is not done in time is killed. Started by rv-exec. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

static char text[4 << 20], *next = text;

static char *field(void) {
  char *start = next;
  next += strlen(next) + 1;
  return start;
}

static char **list(void) {
  int count = atoi(field());
  char **fields = calloc(count + 1, sizeof *fields);
  for (int i = 0; i < count; i++) fields[i] = field();
  return fields;
}

static int file(const char *contents) {
  int fd = memfd_create("stream", MFD_CLOEXEC);
  if (write(fd, contents, strlen(contents)) < 0) perror("write");
  lseek(fd, 0, SEEK_SET);
  return fd;
}

static void hex(int fd) {
  unsigned char bytes[4096];
  ssize_t n;
  lseek(fd, 0, SEEK_SET);
  putchar(' ');
  while ((n = read(fd, bytes, sizeof bytes)) > 0)
    for (ssize_t i = 0; i < n; i++) printf("%02x", bytes[i]);
  close(fd);
}

static void start(char **arguments, char **environment, int in, int out, int err) {
  fcntl(out, F_SETFL, O_APPEND), fcntl(err, F_SETFL, O_APPEND);
  dup2(in, 0), dup2(out, 1), dup2(err, 2);
  close_range(3, ~0U, 0);
  setsid();
  if (chdir("/tmp") == 0) execve(arguments[0], arguments, environment);
  _exit(127);
}

/* Like waitpid, for at most so many seconds; a process that takes longer is killed. */
static int wait_for(pid_t child, int seconds) {
  int status;
  for (int i = 0; i < seconds * 20; i++, usleep(50000))
    if (waitpid(child, &status, WNOHANG) == child) return status;
  fprintf(stderr, "timed out\n");
  kill(-1, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

int main(int argc, char **argv) {
  int seconds = argc > 1 ? atoi(argv[1]) : 600, plan = open("/cases", O_RDONLY | O_CLOEXEC);
  ssize_t n = read(plan, text, sizeof text - 1);
  while (n > 0 && next < text + n) {
    char *name = field(), **arguments = list(), **environment = list();
    int in = file(field()), out = file(""), err = file("");
    mount("tmpfs", "/tmp", "tmpfs", 0, 0);
    pid_t child = fork();
    if (child == 0) start(arguments, environment, in, out, err);
    int status = wait_for(child, seconds);
    kill(-1, SIGKILL); /* all that the case left behind, but not this process nor its parent, process 1 */
    usleep(100000);
    umount2("/tmp", MNT_DETACH);
    printf("%s %d", name, status);
    hex(out), hex(err), close(in);
    putchar('\n'), fflush(stdout);
  }
  return 0;
}
