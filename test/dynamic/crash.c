/* Dies in a library. */
#include "libshared.h"

int main(void) { return shared_crash((int *)8) + 1; }
