/* C++ exceptions that cross shared libraries, both ways and out of a signal handler. */
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <typeinfo>
struct Custom { int value; std::string text; };
void throw_custom(int), throw_standard();
int catches(void (*)());
static void mine() { throw std::logic_error("of the program"); }
static void handler(int) { throw 42; }
int main() {
  try { throw_custom(5); } catch (Custom &c) { printf("custom %d %s\n", c.value, c.text.c_str()); }
  try { throw_standard(); } catch (std::exception &e) { printf("%s %s\n", e.what(), typeid(e).name()); }
  printf("caught there: %d\n", catches(mine));
  struct sigaction action = {};
  action.sa_handler = handler, action.sa_flags = SA_NODEFER;
  sigaction(SIGSEGV, &action, nullptr);
  try { *(volatile int *)8 = 1; } catch (int n) { printf("out of a handler: %d\n", n); }
  try {
    try { throw_standard(); } catch (...) { std::throw_with_nested(std::logic_error("outer")); }
  } catch (std::exception &e) {
    try { std::rethrow_if_nested(e); } catch (std::exception &n) { printf("%s of %s\n", e.what(), n.what()); }
  }
  fflush(stdout);
  return 0;
}
