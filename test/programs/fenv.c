/* Rounding modes and exception flags. */
#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdio.h>

static volatile double one = 1, three = 3, huge = DBL_MAX, tiny = DBL_MIN, zero = 0;
static volatile float fone = 1, fthree = 3;

static void flags(const char *what) {
  printf("%s:%s%s%s%s%s\n", what, fetestexcept(FE_INVALID) ? " NV" : "", fetestexcept(FE_DIVBYZERO) ? " DZ" : "",
         fetestexcept(FE_OVERFLOW) ? " OF" : "", fetestexcept(FE_UNDERFLOW) ? " UF" : "", fetestexcept(FE_INEXACT) ? " NX" : "");
  feclearexcept(FE_ALL_EXCEPT);
}

int main(void) {
  static const int modes[] = {FE_TONEAREST, FE_TOWARDZERO, FE_DOWNWARD, FE_UPWARD};
  for (int i = 0; i < 4; i++) {
    fesetround(modes[i]);
    printf("mode %d: %a %a %a %a %ld %a\n", i, one / three, -one / three, (double)(fone / fthree), sqrt(three), lrint(-2.5), rint(2.5));
    printf("  %a %a %a\n", (double)(float)(one / three), one + DBL_EPSILON / 2, one - DBL_EPSILON / 4);
    feclearexcept(FE_ALL_EXCEPT);
  }
  fesetround(FE_TONEAREST);
  volatile double r;
  r = one + one, flags("exact");
  r = one / three, flags("inexact");
  r = one / zero, flags("divide by zero");
  r = zero / zero, flags("invalid");
  r = huge * huge, flags("overflow");
  r = tiny * tiny, flags("underflow");
  r = tiny / 2, flags("exact denormal");
  r = tiny / three, flags("inexact denormal");
  r = sqrt(-one), flags("sqrt of -1");
  r = (double)(int)1e20, flags("conversion");
  printf("%d %d\n", (int)(volatile double){1e20}, (int)(volatile double){-1e20});
  r = fma(one / three, three, -one), printf("%a\n", r), flags("fma");
  int cmp = (volatile double){NAN} < one;
  printf("%d", cmp), flags(" quiet less");
  return 0;
}
