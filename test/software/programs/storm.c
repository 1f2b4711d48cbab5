// flags: -pthread
/* Five threads that allocate, resize, hand over and free blocks of all sizes and check what is in them. Each has its own
 * random numbers, and what it prints depends on those alone: every correct allocator gives the same output. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 5, SLOTS = 700, MAILBOX = 64 };
typedef struct { unsigned char *start; size_t size; unsigned char seed; } Block;
typedef struct { unsigned long long state, bytes, blocks, sum; Block slot[SLOTS]; int number; } Worker;

static int rounds = 12000;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static Block mailbox[MAILBOX];
static int waiting;

static unsigned rnd(Worker *w, unsigned limit) {
  w->state = w->state * 6364136223846793005ULL + 1442695040888963407ULL;
  return (w->state >> 33) % limit;
}

static size_t pick(Worker *w) {
  switch (rnd(w, 12)) {
  case 0: return 1 + rnd(w, 16);
  case 1: return 1000 + rnd(w, 10000);
  case 2: return rnd(w, 30) ? 4096 + rnd(w, 4096) : 130000 + rnd(w, 600000);
  default: return 1 + rnd(w, 512);
  }
}

static void fill(Block *b) {
  for (size_t k = 0; k < b->size; k += 1 + b->size / 64) b->start[k] = b->seed + k;
  b->start[b->size - 1] = b->seed;
}

static void verify(const Block *b, size_t size) {
  size_t step = 1 + b->size / 64;
  for (size_t k = 0; k < size; k += step)
    if (k != b->size - 1 && b->start[k] != (unsigned char)(b->seed + k)) printf("damaged at %zu of %zu\n", k, b->size), exit(1);
}

/* Sizes are multiples of their alignment: mimalloc 3.0.1 damages smaller blocks, natively too. */
static void *get(Worker *w, size_t size) {
  void *p = NULL;
  switch (rnd(w, 6)) {
  case 0: p = calloc(size / 8 + 1, 8); for (size_t k = 0; k < size; k += 97) if (((char *)p)[k]) puts("not zero"), exit(1); break;
  case 1: if (posix_memalign(&p, 256, (size + 255) & ~255UL)) p = NULL; if ((size_t)p & 255) puts("not aligned"), exit(1); break;
  case 2: p = aligned_alloc(4096, (size + 4095) & ~4095UL); if ((size_t)p & 4095) puts("not aligned"), exit(1); break;
  default: p = malloc(size);
  }
  if (p == NULL) puts("out of memory"), exit(1);
  return p;
}

/* Another thread's block comes in exchange: frees across threads. */
static void exchange(Block *b) {
  pthread_mutex_lock(&lock);
  Block other = {0};
  if (waiting == MAILBOX) other = mailbox[--waiting];
  mailbox[waiting++] = *b;
  pthread_mutex_unlock(&lock);
  if (other.start) verify(&other, other.size), free(other.start);
  b->start = NULL;
}

static void step(Worker *w) {
  Block *b = &w->slot[rnd(w, SLOTS)];
  unsigned action = rnd(w, 8);
  if (b->start == NULL) {
    b->size = pick(w), b->seed = rnd(w, 256), b->start = get(w, b->size), fill(b);
    w->bytes += b->size, w->blocks++;
    return;
  }
  verify(b, b->size), w->sum += b->start[b->size / 2 / (1 + b->size / 64) * (1 + b->size / 64)];
  if (action == 0) {
    size_t size = pick(w), keep = size < b->size ? size : b->size;
    b->start = realloc(b->start, size), verify(b, keep), b->size = size, fill(b);
  } else if (action == 1) exchange(b);
  else free(b->start), b->start = NULL;
}

static void *work(void *argument) {
  Worker *w = argument;
  for (int i = 0; i < rounds; i++) step(w);
  for (int i = 0; i < SLOTS; i++) if (w->slot[i].start) verify(&w->slot[i], w->slot[i].size), free(w->slot[i].start);
  return w;
}

int main(int argc, char **argv) {
  static Worker worker[THREADS];
  pthread_t thread[THREADS];
  if (argc > 1) rounds = atoi(argv[1]);
  for (int round = 0; round < 2; round++) {
    for (int i = 0; i < THREADS; i++) {
      memset(&worker[i], 0, sizeof worker[i]);
      worker[i].state = 1000 * round + i, worker[i].number = i;
      pthread_create(&thread[i], NULL, work, &worker[i]);
    }
    for (int i = 0; i < THREADS; i++) {
      pthread_join(thread[i], NULL);
      printf("thread %d: %llu blocks, %llu bytes, sum %llu\n", i, worker[i].blocks, worker[i].bytes, worker[i].sum);
    }
  }
  while (waiting) free(mailbox[--waiting].start);
  char *volatile huge = malloc(200u << 20);
  if (huge) huge[0] = huge[(200u << 20) - 1] = 1, puts("200 MiB: two pages touched");
  free(huge);
  huge = malloc(1ULL << 45);
  puts(huge ? "32 TiB?" : "32 TiB refused");
  return 0;
}
