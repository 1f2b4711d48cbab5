/* Loaded by dlopen: has its own thread-local variables, and needs the shared library. */
#include "libshared.h"
#include <stdio.h>
#include <stdlib.h>

static __thread long tls[1000] = {5};
__attribute__((constructor)) static void start(void) { printf("plugin: constructor, counter %d\n", shared_counter()); }
__attribute__((destructor)) static void end(void) { printf("plugin: destructor\n"); }
long plugin_run(long x) {
  tls[999] += x;
  int a[] = {3, 1, 2};
  (void)a;
  return tls[0] + tls[999] + *shared_tls();
}
