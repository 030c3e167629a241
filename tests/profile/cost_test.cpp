// Operations and bytes of single calls, counted by hand.

#include <gtest/gtest.h>

#include "suiren/core/dispatch.h"
#include "suiren/ops/attention/attention.h"
#include "suiren/profile/cost.h"

namespace suiren::profile {
namespace {

Tensor f32(const Shape& shape) { return Tensor::zeros({kF32, shape, {}}); }
Tensor ids(const Shape& shape) { return Tensor::zeros({kI64, shape, {}}); }

// The cost of the op by name, with attributes in the order of its list, on outputs that it really gives.
Cost cost(const char* name, std::vector<AttrValue> attributes, const Tensors& inputs) {
  const OpInfo& op = find_op(name);
  const auto attrs = op.make_attrs(attributes);
  return op_cost(op, attrs.get(), inputs, run_op(op, attrs.get(), inputs));
}
AttrValue number(int64_t i) { return {AttrValue::kInt, "", i, static_cast<double>(i)}; }
AttrValue real(double f) { return {AttrValue::kFloat, "", 0, f}; }
AttrValue list(const Dims& d) { return {AttrValue::kList, "", 0, 0, d.data(), d.size()}; }

TEST(Cost, Products) {
  const Cost one = cost("matmul", {}, {f32({5, 7}), f32({7, 11})});
  EXPECT_EQ(one.flops, 2 * 5 * 7 * 11);
  EXPECT_EQ(one.read, 4 * (5 * 7 + 7 * 11));
  EXPECT_EQ(one.written, 4 * 5 * 11);
  EXPECT_EQ(one.dtype, kF32);
  const Cost batch = cost("matmul", {}, {f32({3, 5, 7}), f32({7, 11})});
  EXPECT_EQ(batch.flops, 3 * one.flops);
  EXPECT_EQ(batch.bytes(), 4 * (3 * 5 * 7 + 7 * 11 + 3 * 5 * 11));
  EXPECT_EQ(cost("matmul_sum", {}, {f32({3, 5, 7}), f32({3, 7, 11})}).flops, 3 * one.flops);
  EXPECT_EQ(cost("bilinear", {}, {f32({4, 3}), f32({4, 5}), f32({2, 3, 5})}).flops,
            4 * 2 * (2 * 3 * 5 + 2 * 3));
  EXPECT_EQ(cost("matmul", {}, {f32({0, 7}), f32({7, 0})}).flops, 0);
}

TEST(Cost, Convolutions) {
  const Dims one{1, 1}, none{0, 0};
  // 2 images, 4 -> 6 channels in 2 groups, 3 x 3 kernel, 8 x 8 -> 6 x 6
  const double flops = 2.0 * (2 * 6 * 6 * 6) * (2 * 3 * 3);
  EXPECT_EQ(
      cost("conv", {list(one), list(none), list(one), number(2)}, {f32({2, 4, 8, 8}), f32({6, 2, 3, 3})})
          .flops,
      flops);
  const Dims kernel{3, 3};
  EXPECT_EQ(cost("conv_weight_gradient", {list(kernel), list(one), list(none), list(one), number(2)},
                 {f32({2, 4, 8, 8}), f32({2, 6, 6, 6})})
                .flops,
            flops);
  EXPECT_EQ(cost("conv_transpose", {list(one), list(none), list(one), list(none), number(2)},
                 {f32({2, 6, 6, 6}), f32({6, 2, 3, 3})})
                .flops,
            flops);
}

Cost attend(int64_t T, int64_t S, int64_t heads, int64_t kv_heads, bool causal, int64_t window,
            bool backward) {
  const Tensor q = f32({2, T, heads, 4}), k = f32({2, S, kv_heads, 4}), lse = f32({2, heads, T});
  std::vector<AttrValue> attributes{real(0.5), number(causal), number(window), real(0), number(0), number(0)};
  if (!backward) return cost("attention", attributes, {q, k, k});
  attributes.push_back(number(0));
  return cost("attention_backward", attributes, {q, k, k, q, lse, q, lse});
}

TEST(Cost, AttentionCountsThePairsThatSeeEachOther) {
  const double pair = 2 * 4;  // a product of head dimension 4, for one query and one key
  EXPECT_EQ(attend(6, 6, 2, 2, false, 0, false).flops, 2 * 2 * 2 * pair * 36);
  EXPECT_EQ(attend(6, 6, 2, 2, true, 0, false).flops, 2 * 2 * 2 * pair * 21);  // 1 + 2 + ... + 6
  EXPECT_EQ(attend(2, 6, 2, 2, true, 0, false).flops, 2 * 2 * 2 * pair * 11);  // 5 + 6
  EXPECT_EQ(attend(6, 6, 2, 2, true, 3, false).flops, 2 * 2 * 2 * pair * 15);  // 1 + 2 + 3 + 3 + 3 + 3
  EXPECT_EQ(attend(6, 6, 2, 2, true, 0, true).flops, 5 * 2 * 2 * pair * 21);
  const Cost grouped = attend(6, 6, 4, 2, true, 0, false);
  EXPECT_EQ(grouped.flops, 2 * 2 * 4 * pair * 21) << "all query heads work";
  EXPECT_EQ(grouped.read, 4 * (2 * 6 * 4 * 4 + 2 * (2 * 6 * 2 * 4))) << "a group shares its keys and values";
  EXPECT_EQ(grouped.written, 4 * (2 * 6 * 4 * 4 + 2 * 4 * 6));
}

TEST(Cost, Recurrences) {
  EXPECT_EQ(cost("lstm", {}, {f32({2, 5, 12}), f32({2, 3}), f32({2, 3}), f32({12, 3})}).flops,
            2.0 * 2 * 5 * 12 * 3);
  EXPECT_EQ(cost("gru", {}, {f32({2, 5, 9}), f32({2, 3}), f32({9, 3}), f32({9})}).flops, 2.0 * 2 * 5 * 9 * 3);
}

TEST(Cost, MovesHaveNoFlopsAndReadWhatTheyChoose) {
  const Cost rows = cost("embedding", {}, {f32({1000, 8}), ids({3})});
  EXPECT_EQ(rows.flops, 0);
  EXPECT_EQ(rows.read, 3 * 8 + 3 * 8 * 4) << "the ids and three rows of the table";
  EXPECT_EQ(rows.written, 3 * 8 * 4);
  EXPECT_EQ(cost("embedding", {}, {f32({2, 8}), ids({300})}).read, 300 * 8 + 2 * 8 * 4)
      << "the table at most once";
  EXPECT_EQ(cost("gather", {number(0)}, {f32({100, 4}), ids({2, 4})}).read, 8 * 8 + 8 * 4);
  EXPECT_EQ(cost("index_select", {number(0)}, {f32({100, 4}), ids({2})}).read, 2 * 8 + 8 * 4);
  const Cost copy = cost("copy", {}, {f32({10, 10})});
  EXPECT_EQ(copy.flops, 0);
  EXPECT_EQ(copy.bytes(), 800);
}

TEST(Cost, InPlaceIsReadAndWritten) {
  const Tensor x = f32({100});
  const Cost adamw =
      cost("adamw", {real(1e-3), real(0.9), real(0.99), real(1e-8), real(0), number(1), real(1)},
           {x, f32({100}), f32({100}), f32({100})});
  EXPECT_EQ(adamw.read, 4 * 400) << "w, m, v, g";
  EXPECT_EQ(adamw.written, 3 * 400) << "w, m, v";
  const Cost accumulate = cost("accumulate", {}, {x, f32({100})});
  EXPECT_EQ(accumulate.read, 800);
  EXPECT_EQ(accumulate.written, 400);
  const Cost assign = cost("assign", {}, {x, f32({100})});
  EXPECT_EQ(assign.read, 400) << "what is overwritten is not read";
  EXPECT_EQ(assign.written, 400);
}

TEST(Cost, ElementsThatABroadcastRepeatsCountOnce) {
  const Tensor wide = f32({1, 8}).alias({100, 8}, {0, 1}, 0);
  const Cost add = cost("add", {}, {f32({100, 8}), wide});
  EXPECT_EQ(add.flops, 800);
  EXPECT_EQ(add.read, 4 * (800 + 8));
}

TEST(Cost, TheRoofIsTheLaterOfFlopsAndBytes) {
  Roofs roofs;
  roofs.flops[kF32.id()] = 100;
  roofs.read = 20;
  roofs.update = 10;
  Cost c{.flops = 1000, .read = 50, .written = 40};
  EXPECT_EQ(roof_seconds(c, roofs), 10);
  EXPECT_TRUE(bound_by_flops(c, roofs));
  c.flops = 100;
  EXPECT_EQ(roof_seconds(c, roofs), 9) << "90 bytes at the speed of updates";
  EXPECT_FALSE(bound_by_flops(c, roofs));
  c.written = 0;
  EXPECT_EQ(roof_seconds(c, roofs), 2.5) << "50 bytes at the speed of reading";
  c.dtype = kBF16;
  c.read = 0;
  EXPECT_EQ(roof_seconds(c, roofs), 0) << "no peak is known for bf16";
}

}  // namespace
}  // namespace suiren::profile
