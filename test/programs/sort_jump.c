/* qsort, bsearch, setjmp and longjmp, varargs, function pointers, string functions. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(const void *a, const void *b) {
  int x = *(const int *)a, y = *(const int *)b;
  return (x > y) - (x < y);
}
static int by_text(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static jmp_buf jump;
static void dive(int depth) {
  char room[200];
  memset(room, depth, sizeof room);
  if (depth == 0) longjmp(jump, room[3] + 41);
  dive(depth - 1);
  printf("never %d\n", room[5]);
}

static int sum(int n, ...) {
  va_list list;
  va_start(list, n);
  int s = 0;
  for (int i = 0; i < n; i++) s += i % 2 ? (int)va_arg(list, double) : va_arg(list, int);
  va_end(list);
  return s;
}

int main(int argc, char **argv) {
  static int v[50000];
  unsigned x = 1;
  for (int i = 0; i < 50000; i++) x = x * 1103515245 + 12345, v[i] = x >> 3;
  qsort(v, 50000, sizeof *v, compare);
  int wrong = 0;
  for (int i = 1; i < 50000; i++) wrong += v[i - 1] > v[i];
  int key = v[777], *found = bsearch(&key, v, 50000, sizeof *v, compare);
  printf("wrong %d first %d last %d found %d\n", wrong, v[0], v[49999], found && *found == key);
  volatile int tries = 0;
  int r = setjmp(jump);
  if (tries++ < 3) dive(tries * 10);
  printf("setjmp gave %d after %d tries\n", r, tries);
  char text[] = "the quick brown fox jumps over the lazy dog", *words[16], *save;
  int n = 0;
  for (char *w = strtok_r(text, " ", &save); w; w = strtok_r(NULL, " ", &save)) words[n++] = w;
  qsort(words, n, sizeof *words, by_text);
  for (int i = 0; i < n; i++) printf("%s%c", words[i], i + 1 < n ? ' ' : '\n');
  printf("%d %s %d %ld\n", sum(6, 1, 2.9, 3, 4.9, 5, 6.9), strstr("haystack", "st"), toupper('x'), strtol("-0x7fz", NULL, 16));
  printf("argc %d argv[1] %s HOME %s\n", argc, argc > 1 ? argv[1] : "-", getenv("HOME") ? getenv("HOME") : "-");
  char line[100];
  while (fgets(line, sizeof line, stdin)) printf("in: %s", line);
  return 7;
}
