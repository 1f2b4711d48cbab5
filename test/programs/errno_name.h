/* The number as text: musl has no strerrorname_np. */
#include <errno.h>
#include <stdio.h>
static inline const char *errno_name(int number) {
  static char text[8][16];
  static int next;
  char *t = text[next++ & 7];
  snprintf(t, 16, "E%d", number);
  return t;
}
