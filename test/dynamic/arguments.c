/* What a program is told of how it was called. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <unistd.h>

int main(int argc, char **argv) {
  char name[32] = "", path[64] = "";
  for (int i = 0; i < argc; i++) printf("[%s]", argv[i]);
  int f = open("/proc/self/comm", O_RDONLY);
  read(f, name, sizeof name - 1);
  readlink("/proc/self/exe", path, sizeof path - 1);
  printf(" execfn %s exe %s comm %s", (char *)getauxval(AT_EXECFN), path, name);
  return 0;
}
