/* Integer corner cases of the M extension, shifts, bit counting, 128-bit arithmetic. */
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

static volatile int64_t a[] = {0, 1, -1, 7, -7, INT64_MAX, INT64_MIN, 0x123456789abcdef0, INT32_MIN, INT32_MAX};

int main(void) {
  int n = sizeof a / sizeof *a;
  uint64_t hash = 14695981039346656037ULL;
  for (int i = 0; i < n; i++)
    for (int j = 0; j < n; j++) {
      int64_t x = a[i], y = a[j], q, r;
      uint64_t uq, ur;
      int32_t wq, wr;
      __asm__("div %0,%1,%2" : "=r"(q) : "r"(x), "r"(y));
      __asm__("rem %0,%1,%2" : "=r"(r) : "r"(x), "r"(y));
      __asm__("divu %0,%1,%2" : "=r"(uq) : "r"(x), "r"(y));
      __asm__("remu %0,%1,%2" : "=r"(ur) : "r"(x), "r"(y));
      __asm__("divw %0,%1,%2" : "=r"(wq) : "r"(x), "r"(y));
      __asm__("remw %0,%1,%2" : "=r"(wr) : "r"(x), "r"(y));
      __int128 p = (__int128)x * y;
      unsigned __int128 up = (unsigned __int128)(uint64_t)x * (uint64_t)y;
      printf("%lx %lx: %lx %lx %lx %lx %x %x %lx %lx\n", x, y, q, r, uq, ur, wq, wr, (uint64_t)(p >> 64), (uint64_t)(up >> 64));
      uint64_t v[] = {x + y, x - y, x << (y & 63), (uint64_t)x >> (y & 63), x >> (y & 63), (int32_t)x << (y & 31), x < y, (uint64_t)x < (uint64_t)y, __builtin_popcountll(x ^ y)};
      for (unsigned k = 0; k < sizeof v / sizeof *v; k++) hash = (hash ^ v[k]) * 1099511628211ULL;
    }
  printf("%lx\n", hash);
  return 0;
}
