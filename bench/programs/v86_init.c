// The first process of the machine in v86: runs each line of /works, "kernels NAME COUNT time", one after the other.
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int run(char *line) {
  char *words[8] = {0};
  int count = 0;
  for (char *word = strtok(line, " \n"); word != NULL && count < 7; word = strtok(NULL, " \n")) words[count++] = word;
  if (count == 0) return 0;
  printf("work %s\n", words[1]);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    execv("/kernels", words);
    _exit(127);
  }
  int status = -1;
  return waitpid(child, &status, 0) == child ? status : -1;
}

int main(void) {
  char line[256];
  int failed = 0;
  FILE *works = fopen("/works", "r");
  while (works != NULL && fgets(line, sizeof line, works) != NULL) failed |= run(line) != 0;
  printf("end %d\n", failed || works == NULL);
  fflush(stdout);
  for (;;) pause(); // who ends the first process ends the kernel, noisily
}
