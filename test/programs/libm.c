/* The mathematics library: every bit of the results. */
#include <complex.h>
#include <math.h>
#include <stdio.h>

int main(void) {
  for (double x = -7.3; x < 8; x += 0.917) {
    printf("%a: sin %a cos %a tan %a exp %a\n", x, sin(x), cos(x), tan(x), exp(x));
    printf("  log %a sqrt %a cbrt %a pow %a atan2 %a\n", log(fabs(x)), sqrt(fabs(x)), cbrt(x), pow(fabs(x), 1.7), atan2(x, 2));
    printf("  floor %a ceil %a round %a rint %a trunc %a fmod %a\n", floor(x), ceil(x), round(x), rint(x), trunc(x), fmod(x, 0.7));
    printf("  erf %a gamma %a sinh %a asinh %a fma %a hypot %a\n", erf(x), tgamma(fabs(x)), sinh(x), asinh(x), fma(x, x, -x), hypot(x, 1));
    printf("  float: %a %a %a %a\n", (double)sinf(x), (double)expf(x), (double)sqrtf(fabsf(x)), (double)fmaf(x, x, 1));
    printf("  ints: %ld %ld %d %llu\n", lrint(x), lround(x), (int)x, (unsigned long long)(x * x));
  }
  double complex z = cexp(1 + 2 * I);
  printf("%a %a\n", creal(z), cimag(z));
  int e;
  double m = frexp(12345.678, &e);
  printf("%a %d %a %a\n", m, e, ldexp(m, 3), nextafter(1, 2));
  return 0;
}
