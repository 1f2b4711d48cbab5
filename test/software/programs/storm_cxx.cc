// flags: -pthread -std=c++20
// Containers, strings, shared pointers and exceptions in several threads: what C++ asks of an allocator.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

struct alignas(128) Wide { unsigned long long value[16]; };

struct Node {
  std::string name;
  std::vector<std::shared_ptr<Node>> children;
};

static std::shared_ptr<Node> grow(std::mt19937 &random, int depth) {
  auto node = std::make_shared<Node>();
  node->name = std::string(1 + random() % 60, char('a' + random() % 26));
  if (depth > 0)
    for (unsigned i = 0; i < 3; i++) node->children.push_back(grow(random, depth - 1));
  return node;
}

static unsigned long long weigh(const Node &node) {
  unsigned long long sum = node.name.size() * node.name[0];
  for (auto &child : node.children) sum += weigh(*child);
  return sum;
}

static unsigned long long throwing(std::mt19937 &random) {
  unsigned long long caught = 0;
  for (int i = 0; i < 200; i++) {
    try {
      auto holder = std::make_unique<std::string>(100 + random() % 100, 'x');
      if (random() % 2) throw std::runtime_error(*holder);
    } catch (const std::exception &error) {
      caught += std::string(error.what()).size();
    }
  }
  return caught;
}

static std::string work(unsigned seed, int rounds) {
  std::mt19937 random(seed);
  std::map<std::string, std::vector<int>> ordered;
  std::unordered_map<unsigned, std::string> hashed;
  std::list<std::string> list;
  std::deque<std::unique_ptr<Wide>> wide;
  for (int i = 0; i < rounds; i++) {
    ordered["key " + std::to_string(random() % 500)].push_back(i);
    hashed[random() % 800] += std::string(1 + random() % 20, '.');
    list.push_back(std::to_string(random()));
    if (list.size() > 300) list.pop_front();
    wide.push_back(std::make_unique<Wide>());
    if (reinterpret_cast<size_t>(wide.back().get()) % 128) std::abort();
    if (wide.size() > 200) wide.pop_front();
    if (i % 1000 == 500) hashed.clear();
  }
  list.sort();
  size_t ordered_size = 0, hashed_size = 0;
  for (auto &[key, values] : ordered) ordered_size += key.size() * values.size();
  for (auto &[key, value] : hashed) hashed_size += value.size();
  std::vector<std::string> lines(list.begin(), list.end());
  std::shuffle(lines.begin(), lines.end(), random), std::sort(lines.begin(), lines.end());
  return std::to_string(ordered_size) + " " + std::to_string(hashed_size) + " " + lines.front() + " " +
         std::to_string(weigh(*grow(random, 6))) + " " + std::to_string(throwing(random));
}

int main(int argc, char **argv) {
  int rounds = argc > 1 ? std::atoi(argv[1]) : 3000;
  std::vector<std::string> result(4);
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < result.size(); i++) threads.emplace_back([&, i] { result[i] = work(i, rounds); });
  for (auto &thread : threads) thread.join();
  for (auto &line : result) std::puts(line.c_str());
  void *much = ::operator new(size_t(1) << 45, std::nothrow); // mimalloc's C build aborts where others throw
  std::puts(much ? "32 TiB?" : "32 TiB refused");
  std::vector<char> growing;
  for (int i = 0; i < 3'000'000; i++) growing.push_back(char(i));
  std::printf("%zu %d\n", growing.size(), std::accumulate(growing.begin(), growing.end(), 0));
}
