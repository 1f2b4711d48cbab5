#include <stdexcept>
#include <string>
struct Custom { int value; std::string text; };
void throw_custom(int n) {
  struct Guard { int *p; ~Guard() { ++*p; } };
  static int guards;
  Guard g{&guards};
  if (n > 0) return throw_custom(n - 1);
  throw Custom{guards, "from the library"};
}
void throw_standard() { throw std::runtime_error("standard"); }
int catches(void (*f)()) {
  try { f(); } catch (const std::exception &e) { return std::string(e.what()).size(); }
  return -1;
}
