// A graph convolution (Kipf & Welling 2017) on Zachary's karate club (1977): 34 members, 78 friendships, and
// a quarrel that split the club. From the side of two members alone, the instructor and the president, two
// layers find on which side everybody else ended up.

#include <set>

#include "suiren/suiren.h"

using namespace suiren;

// The friends of each member that have a larger number; member 0 is the instructor, 33 the president.
const std::vector<std::vector<int64_t>> kFriends{{1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 17, 19, 21, 31},
                                                 {2, 3, 7, 13, 17, 19, 21, 30},
                                                 {3, 7, 8, 9, 13, 27, 28, 32},
                                                 {7, 12, 13},
                                                 {6, 10},
                                                 {6, 10, 16},
                                                 {16},
                                                 {},
                                                 {30, 32, 33},
                                                 {33},
                                                 {},
                                                 {},
                                                 {},
                                                 {33},
                                                 {32, 33},
                                                 {32, 33},
                                                 {},
                                                 {},
                                                 {32, 33},
                                                 {33},
                                                 {32, 33},
                                                 {},
                                                 {32, 33},
                                                 {25, 27, 29, 32, 33},
                                                 {25, 27, 31},
                                                 {31},
                                                 {29, 33},
                                                 {33},
                                                 {31, 33},
                                                 {32, 33},
                                                 {32, 33},
                                                 {32, 33},
                                                 {33},
                                                 {}};
const std::set<int64_t> kWithTheInstructor{0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 12, 13, 16, 17, 19, 21};
constexpr int64_t kMembers = 34;

// The graph as a list of messages: both directions of each friendship, and everybody to themselves.
struct Graph {
  Tensor from, to, weight;  // [E], [E], [E, 1]

  Graph() {
    std::vector<int64_t> a, b;
    for (int64_t i = 0; i < kMembers; ++i) {
      a.push_back(i), b.push_back(i);
      for (int64_t j : kFriends[static_cast<size_t>(i)]) {
        a.insert(a.end(), {i, j});
        b.insert(b.end(), {j, i});
      }
    }
    const auto E = static_cast<int64_t>(a.size());
    from = Tensor::from(a, {E});
    to = Tensor::from(b, {E});
    const Tensor scale = rsqrt(cast(bincount(from, kMembers), kF32));  // 1 / sqrt(degree)
    weight = reshape(index_select(scale, 0, from) * index_select(scale, 0, to), {E, 1});
  }
  // y[i] = sum over the neighbours j of i of x[j] / sqrt(degree i * degree j): x [34, D] -> [34, D].
  Tensor spread(const Tensor& x) const {
    return segment_sum(index_select(x, 0, from) * weight, to, kMembers);
  }
};

int main() {
  const Graph graph;
  // Members have no features but their number, so the first product is a table of weights itself.
  Tensor first = normal({kMembers, 16}, 0, 0.1, 1), second = normal({16, 2}, 0, 0.1, 2);
  first.set_requires_grad();
  second.set_requires_grad();
  const auto logits = [&] { return matmul(graph.spread(relu(graph.spread(first))), second); };

  const Tensor known = Tensor::from(std::vector<int64_t>{0, 33}, {2});
  const Tensor sides = Tensor::from(std::vector<int64_t>{0, 1}, {2});
  const auto optimizer = optim::adamw({{"first", &first}, {"second", &second}}, {.weight_decay = 5e-3});
  for (int step = 0; step < 100; ++step) {
    const Tensor loss = mean(cross_entropy(index_select(logits(), 0, known), sides));
    if (step % 25 == 0) fmt::print("step {:3}: loss {:.4f}\n", step, loss.item());
    optimizer->step(gradients(loss, {first, second}), 0.01);
  }

  const std::vector<int64_t> found = argmax(logits(), 1).to_vector<int64_t>();
  int right = 0;
  for (int64_t i = 0; i < kMembers; ++i)
    right += found[static_cast<size_t>(i)] == (kWithTheInstructor.count(i) ? 0 : 1);
  fmt::print("{} of {} members on the right side, from 2 that were known\n", right, kMembers);
  return right >= 32 ? 0 : 1;
}
