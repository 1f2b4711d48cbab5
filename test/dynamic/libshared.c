#include "libshared.h"
#include <stdio.h>
#include <unistd.h>

int shared_data = 7;
static int counter;
static __thread int tls = 40;
static __thread int tls_zero;
extern __thread int tls_of_program __attribute__((weak));

__attribute__((constructor(101))) static void early(void) { printf("shared: early constructor\n"); }
__attribute__((constructor)) static void late(void) { printf("shared: constructor\n"); }
__attribute__((destructor)) static void end(void) {
  printf("shared: destructor\n");
  fflush(stdout);
}

int shared_counter(void) { return ++counter; }
int *shared_tls(void) { return tls_zero++, &tls; }
static const char *which_default(void) { return "chosen by a resolver"; }
static void *resolve(void) { return which_default; }
const char *shared_which(void) __attribute__((ifunc("resolve")));
int shared_crash(int *address) { return *address; }
int shared_hook(void) { return 1; }
int shared_calls_hook(void) { return shared_hook() * 10; }
