#pragma once
// Small checkpoints for tests, and their comparison.

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "suiren/train/checkpoint.h"

namespace suiren::train {

inline Checkpoint make_checkpoint(int64_t step, float base) {
  Checkpoint c;
  c.step = step;
  c.model = {{"a.weight", Tensor::from(std::vector<float>{base, base + 1, base + 2}, {3})},
             {"b.weight", Tensor::from(std::vector<float>{-base, 7}, {2, 1})}};
  c.optimizer = {{"exp_avg.a.weight", Tensor::from(std::vector<float>{base / 2, 0, 1}, {3})}};
  c.state = "{\"step\": " + std::to_string(step) + "}\n";
  return c;
}

inline bool same_tensors(const NamedTensors& a, const NamedTensors& b) {
  return a.size() == b.size() && std::all_of(a.begin(), a.end(), [&](const auto& mine) {
           return std::any_of(b.begin(), b.end(), [&](const auto& other) {
             return other.first == mine.first && other.second.to_bytes() == mine.second.to_bytes();
           });
         });
}
inline bool same(const Checkpoint& a, const Checkpoint& b) {
  return a.step == b.step && a.state == b.state && same_tensors(a.model, b.model) &&
         same_tensors(a.optimizer, b.optimizer);
}

}  // namespace suiren::train
