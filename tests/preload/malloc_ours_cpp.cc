/*
 * operator new and delete, containers, exceptions and threads of an unmodified C++ program end up in our malloc.
 */
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

typedef void *(*base_fn)(const void *);
static base_fn base;

static void expect_ours(const void *p, const char *from) {
  if (p == nullptr || (base != nullptr && base(p) != p)) {
    std::fprintf(stderr, "%s: %p is not ours\n", from, p);
    std::_Exit(1);
  }
}

struct alignas(128) Wide {
  char bytes[256];
};

static void containers() {
  std::map<int, std::string> map;
  for (int i = 0; i < 2000; i++) map[i] = std::string(40 + i % 100, 'a' + i % 26);
  std::vector<std::unique_ptr<int>> many;
  for (int i = 0; i < 2000; i++) many.emplace_back(new int(i));
  expect_ours(map[7].data(), "std::string");
  expect_ours(many.data(), "std::vector");
  for (int i = 0; i < 2000; i++) {
    if (map[i].size() != size_t(40 + i % 100) || *many[i] != i) std::_Exit(1);
  }
}

static void exceptions() {
  int caught = 0;
  for (int i = 0; i < 100; i++) {
    try {
      throw std::runtime_error("number " + std::to_string(i));
    } catch (const std::exception &e) {
      caught += e.what()[0] == 'n';
    }
  }
  volatile size_t huge = size_t(1) << 62;
  try {
    char *volatile p = new char[huge];
    (void)p;
  } catch (const std::bad_alloc &) {
    caught++;
  }
  if (caught != 101) std::_Exit(1);
}

int main() {
  base = reinterpret_cast<base_fn>(dlsym(RTLD_DEFAULT, "tri_base"));
  if (std::getenv("LD_PRELOAD") != nullptr && base == nullptr) return 1;
  int *one = new int(5);
  long *array = new long[100];
  Wide *wide = new Wide;
  expect_ours(one, "new");
  expect_ours(array, "new[]");
  expect_ours(wide, "aligned new");
  if (reinterpret_cast<size_t>(wide) % 128 != 0) return 1;
  delete one;
  delete[] array;
  delete wide;
  expect_ours(std::unique_ptr<char[]>(new (std::nothrow) char[50]).get(), "nothrow new");
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) threads.emplace_back([] { containers(); });
  containers();
  exceptions();
  for (auto &t : threads) t.join();
  std::puts("ok");
  return 0;
}
