// Containers, algorithms, streams, strings, regular expressions.
#include <algorithm>
#include <deque>
#include <iomanip>
#include <iostream>
#include <list>
#include <map>
#include <numeric>
#include <queue>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <unordered_map>
#include <vector>

int main() {
  std::vector<int> v(1000);
  std::iota(v.begin(), v.end(), 1);
  std::rotate(v.begin(), v.begin() + 333, v.end());
  std::stable_sort(v.begin(), v.end(), [](int a, int b) { return a % 17 < b % 17; });
  std::cout << v[0] << ' ' << v[500] << ' ' << std::accumulate(v.begin(), v.end(), 0LL) << '\n';
  std::map<std::string, int> count;
  std::istringstream words("a rose is a rose is a rose and more roses");
  for (std::string w; words >> w;) count[w]++;
  for (auto &[w, n] : count) std::cout << w << '=' << n << ' ';
  std::cout << '\n';
  std::unordered_map<int, std::string> names;
  for (int i = 0; i < 5000; i++) names[i * 7919 % 10007] = std::to_string(i);
  std::size_t length = 0;
  for (auto &[k, s] : names) length += s.size();
  std::cout << names.size() << ' ' << length << ' ' << names[7919] << '\n';
  std::priority_queue<double> heap;
  for (int i = 0; i < 100; i++) heap.push((i * 37 % 101) / 8.0);
  for (int i = 0; i < 5; i++) std::cout << std::fixed << std::setprecision(3) << heap.top() << ' ', heap.pop();
  std::cout << '\n';
  std::list<int> l(v.begin(), v.begin() + 20);
  l.sort();
  l.remove_if([](int x) { return x % 2; });
  for (int x : l) std::cout << x << ' ';
  std::cout << '\n';
  std::deque<std::string> d;
  for (int i = 0; i < 10; i++) (i % 2 ? d.push_back(std::string(i, 'x')) : d.push_front(std::string(i, 'y')));
  for (auto &s : d) std::cout << '[' << s << ']';
  std::cout << '\n';
  std::string text = "ids: 12, 345 and 6789.";
  std::regex number("[0-9]+");
  for (std::sregex_iterator i(text.begin(), text.end(), number), end; i != end; ++i) std::cout << i->str() << ';';
  std::cout << std::regex_replace(text, number, "<$&>") << '\n';
  std::set<std::pair<int, int>> pairs;
  for (int i = 0; i < 50; i++) pairs.insert({i % 7, i % 5});
  std::cout << pairs.size() << ' ' << std::hex << std::showbase << 48879 << ' ' << std::setw(10) << std::setfill('*') << 255 << std::endl;
}
