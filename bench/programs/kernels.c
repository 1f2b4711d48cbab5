// flags: -O2
/* Small loops that each lean on one thing: arithmetic, branches, memory in order, memory by pointers. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t xorshift(uint64_t rounds) {
  uint64_t x = 88172645463325252u;
  for (uint64_t i = 0; i < rounds; i++) {
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
  }
  return x;
}

static uint64_t collatz(uint64_t limit) {
  uint64_t steps = 0;
  for (uint64_t start = 1; start < limit; start++) {
    for (uint64_t n = start; n != 1; steps++) n = n & 1 ? 3 * n + 1 : n >> 1;
  }
  return steps;
}

static uint64_t sum(uint64_t rounds) {
  const size_t count = (8u << 20) / sizeof(uint64_t);
  uint64_t *numbers = malloc(count * sizeof *numbers);
  for (size_t i = 0; i < count; i++) numbers[i] = i * 2654435761u;
  uint64_t total = 0;
  for (uint64_t round = 0; round < rounds; round++) {
    for (size_t i = 0; i < count; i++) total += numbers[i];
    __asm__ volatile("" : : "r"(numbers) : "memory");
  }
  free(numbers);
  return total;
}

/* One cycle through all nodes, in an order that no prefetcher guesses. */
static uint64_t chase(size_t bytes, uint64_t hops) {
  size_t count = bytes / sizeof(void *);
  void **nodes = malloc(bytes);
  size_t *order = malloc(count * sizeof *order);
  for (size_t i = 0; i < count; i++) order[i] = i;
  uint64_t random = 1;
  for (size_t i = count - 1; i > 0; i--) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    size_t j = (random >> 33) % i;
    size_t swapped = order[i];
    order[i] = order[j];
    order[j] = swapped;
  }
  for (size_t i = 0; i < count; i++) nodes[order[i]] = &nodes[order[(i + 1) % count]];
  void **at = nodes;
  for (uint64_t hop = 0; hop < hops; hop++) at = *at;
  uint64_t end = at - nodes;
  free(order);
  free(nodes);
  return end;
}

static uint64_t sieve(uint64_t rounds) {
  enum { LIMIT = 2000000 };
  char *composite = malloc(LIMIT);
  uint64_t primes = 0;
  for (uint64_t round = 0; round < rounds; round++) {
    memset(composite, 0, LIMIT);
    primes = 0;
    for (uint32_t i = 2; i < LIMIT; i++) {
      if (composite[i]) continue;
      primes++;
      for (uint64_t j = (uint64_t)i * i; j < LIMIT; j += i) composite[j] = 1;
    }
  }
  free(composite);
  return primes;
}

int main(int argc, char **argv) {
  if (argc != 3 && argc != 4) return 2;
  const char *name = argv[1];
  uint64_t amount = strtoull(argv[2], NULL, 10);
  uint64_t result;
  if (strcmp(name, "xorshift") == 0) result = xorshift(amount);
  else if (strcmp(name, "collatz") == 0) result = collatz(amount);
  else if (strcmp(name, "sum") == 0) result = sum(amount);
  else if (strcmp(name, "chase64k") == 0) result = chase(64 << 10, amount);
  else if (strcmp(name, "chase8m") == 0) result = chase(8 << 20, amount);
  else if (strcmp(name, "sieve") == 0) result = sieve(amount);
  else return 2;
  printf("%s %llu\n", name, (unsigned long long)result);
  // With a third word: what it took, on stderr, for a machine whose start would hide it.
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  if (argc == 4) fprintf(stderr, "cpu %ld.%09ld\n", (long)used.tv_sec, used.tv_nsec);
  return 0;
}
