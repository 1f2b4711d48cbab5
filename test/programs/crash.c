/* Dies of SIGSEGV on a wild pointer. */
#include <unistd.h>
__attribute__((noinline)) static void victim(volatile int *p) { *p = 1; }
int main(void) {
  (void)!write(1, "going\n", 6);
  victim((int *)0xdead000);
  return 0;
}
