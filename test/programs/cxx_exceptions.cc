// Exceptions through several frames, destructors on the way, rethrow, nested, dynamic_cast, std::function.
#include <cstdio>
#include <functional>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>
#include <variant>

struct Noisy {
  int id;
  explicit Noisy(int i) : id(i) { std::printf("+%d ", id); }
  ~Noisy() { std::printf("-%d ", id); }
};
struct Base { virtual ~Base() = default; virtual const char *name() const { return "base"; } };
struct Derived : Base { const char *name() const override { return "derived"; } };

static int depth(int n) {
  Noisy noisy(n);
  if (n == 0) throw std::out_of_range("bottom");
  return depth(n - 1) + 1;
}

int main() {
  try {
    depth(4);
  } catch (const std::exception &e) {
    std::printf("caught %s\n", e.what());
  }
  try {
    try {
      throw std::runtime_error("inner");
    } catch (...) {
      std::throw_with_nested(std::logic_error("outer"));
    }
  } catch (const std::logic_error &e) {
    std::cout << e.what();
    try {
      std::rethrow_if_nested(e);
    } catch (const std::runtime_error &inner) {
      std::cout << " from " << inner.what() << std::endl;
    }
  }
  std::unique_ptr<Base> p = std::make_unique<Derived>();
  std::cout << p->name() << ' ' << (dynamic_cast<Derived *>(p.get()) != nullptr) << '\n';
  try {
    Base b;
    (void)dynamic_cast<Derived &>(b);
  } catch (const std::bad_cast &) {
    std::cout << "bad cast\n";
  }
  try {
    (void)std::string("abc").at(10);
  } catch (const std::out_of_range &) {
    std::cout << "out of range\n";
  }
  std::variant<int, std::string> v = std::string("text");
  std::cout << std::get<std::string>(v) << '\n';
  try {
    (void)std::get<int>(v);
  } catch (const std::bad_variant_access &) {
    std::cout << "bad variant\n";
  }
  std::function<int(int)> fib = [&](int n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); };
  std::cout << fib(18) << '\n';
  int caught = 0;
  for (int i = 0; i < 2000; i++) try { throw i; } catch (int x) { caught += x & 1; }
  std::cout << caught << std::endl;
  try {
    volatile std::size_t much = ~std::size_t{0} / 2;
    delete[] new char[much];
  } catch (const std::bad_alloc &) {
    std::cout << "bad alloc\n";
  }
}
