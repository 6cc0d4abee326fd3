/*
 * The same from C++: a queue as a class template whose nodes are collected. Nodes are made in tri_alloc's memory and
 * never deleted, so what they hold must need no destructor. Memory from `new` and the standard containers is not looked
 * into: the queue itself lives on the stack.
 *
 * Build it outside this tree with: c++ list.cc $(pkg-config --cflags --libs tricolor)
 */
#include <tricolor/tricolor.h>
#include <cstdio>
#include <new>
#include <type_traits>

namespace {

template <typename T>
class Queue {
  static_assert(std::is_trivially_destructible<T>::value, "no destructor is ever called");
  struct Node {
    Node *next;
    T value;
  };

 public:
  void push(const T &value) {
    void *memory = tri_alloc(sizeof(Node));
    if (memory == nullptr) throw std::bad_alloc();
    Node *node = new (memory) Node{nullptr, value};
    if (last_ != nullptr) {
      TRI_WRITE(last_->next, node);
    } else {
      TRI_WRITE(first_, node);
    }
    TRI_WRITE(last_, node);
    length_++;
  }

  T pop() {
    Node *node = first_;
    T value = node->value;
    TRI_WRITE(first_, node->next);
    TRI_WRITE(node->next, nullptr);  // else a stray pointer to it would keep all that come after it
    if (first_ == nullptr) TRI_WRITE(last_, nullptr);
    length_--;
    return value;
  }

  std::size_t length() const { return length_; }

 private:
  Node *first_ = nullptr, *last_ = nullptr;
  std::size_t length_ = 0;
};

unsigned long push_and_pop(Queue<unsigned long> &queue, unsigned long steps, std::size_t longest) {
  unsigned long wrong = 0, expected = 0;
  for (unsigned long i = 0; i < steps; i++) {
    queue.push(i);
    if (queue.length() > longest && queue.pop() != expected++) wrong++;
  }
  while (queue.length() > 0) wrong += queue.pop() != expected++;
  return wrong;
}

}  // namespace

int main() {
  Queue<unsigned long> queue;
  unsigned long wrong = push_and_pop(queue, 2000000, 10000);
  tri_stats stats{};
  stats.size = sizeof stats;
  if (tri_read_stats(&stats) != 0) return 1;
  std::printf("%lu wrong, %lu collections\n", wrong, stats.num_gc);
  return wrong == 0 && stats.num_gc > 1 ? 0 : 1;
}
