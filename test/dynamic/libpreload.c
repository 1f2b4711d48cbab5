#include "libshared.h"
#include <stdio.h>
__attribute__((constructor)) static void start(void) { printf("preload: constructor\n"); }
int shared_hook(void) { return 2; }
