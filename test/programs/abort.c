/* Dies of SIGABRT, with buffered output lost and written output kept. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void bye(void) { puts("atexit does not run on abort"); }
int main(void) {
  atexit(bye);
  (void)!write(1, "before\n", 7);
  abort();
}
