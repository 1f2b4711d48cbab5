/* printf's floating point: formats, rounding, special values; strtod and back. */
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  static const double values[] = {0.0, -0.0, 1.0, -1.5, 0.1, 1.0 / 3, 2.0 / 3, 1e10, 1e-10, 123456789.125, 1e100, 1e-300,
                                  DBL_MAX, DBL_MIN, 4.9e-324, DBL_EPSILON, 0.5, 2.5, 3.5, 1e15, 1e16, 9007199254740993.0};
  for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
    double v = values[i];
    printf("%g %.17g %e %a %.3f %10.2e|%-12g|%+g\n", v, v, v, v, v < 1e20 && v > -1e20 ? v : 0, v, v, v);
  }
  double inf = strtod("inf", 0), nan = strtod("nan", 0);
  printf("%f %f %f %F %a\n", inf, -inf, nan, inf, -inf);
  printf("%.0f %.0f %.0f %.0f %.0f\n", 0.5, 1.5, 2.5, 3.5, -0.5);
  printf("%Lf %.20Lg %La\n", 1.0L / 3, 1.0L / 3, 1.0L / 3);
  printf("%f %f\n", (double)(float)0.1, (double)(0.1f * 3.0f));
  unsigned bad = 0;
  unsigned long long x = 88172645463325252ULL;
  for (int i = 0; i < 3000; i++) {
    x ^= x << 13, x ^= x >> 7, x ^= x << 17;
    double d;
    memcpy(&d, &x, 8);
    if (!isfinite(d)) continue;
    char text[64];
    snprintf(text, sizeof text, "%.17g", d);
    double back = strtod(text, 0);
    if (memcmp(&back, &d, 8)) bad++;
  }
  printf("round trips that failed: %u\n", bad);
  double sum = 0;
  for (int i = 1; i <= 10000; i++) sum += 1.0 / i;
  printf("harmonic %.17g float %.9g\n", sum, (double)(float)sum);
  return 0;
}
