/* Allocations of all sizes in a random order; contents are checked and summed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 2000
static unsigned char *slot[SLOTS];
static size_t size[SLOTS];
static unsigned long long state = 42;

static unsigned rnd(unsigned limit) {
  state = state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (state >> 33) % limit;
}

static size_t pick(void) {
  switch (rnd(10)) {
  case 0: return 1 + rnd(16);
  case 1: return 1000 + rnd(10000);
  case 2: return rnd(20) ? 4096 + rnd(4096) : 200000 + rnd(400000);
  default: return 1 + rnd(512);
  }
}

static void verify(int i) {
  for (size_t k = 0; k < size[i]; k += 1 + size[i] / 50)
    if (slot[i][k] != (unsigned char)(i + k)) printf("slot %d damaged at %zu\n", i, k), exit(1);
}

static void fill(int i) {
  for (size_t k = 0; k < size[i]; k++) slot[i][k] = i + k;
}

int main(void) {
  unsigned long long total = 0;
  for (int round = 0; round < 30000; round++) {
    int i = rnd(SLOTS);
    if (slot[i] && rnd(3) == 0) {
      verify(i);
      size_t want = pick(), keep = want < size[i] ? want : size[i];
      slot[i] = realloc(slot[i], want);
      size[i] = keep, verify(i), size[i] = want, fill(i);
    } else if (slot[i]) {
      verify(i);
      free(slot[i]), slot[i] = NULL;
    } else {
      size[i] = pick();
      slot[i] = rnd(4) ? malloc(size[i]) : rnd(2) ? calloc(1, size[i]) : aligned_alloc(64, (size[i] + 63) & ~63UL);
      fill(i), total += size[i];
    }
  }
  for (int i = 0; i < SLOTS; i++) if (slot[i]) verify(i), free(slot[i]);
  printf("%llu bytes allocated\n", total);
  return 0;
}
