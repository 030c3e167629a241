#pragma once
// What the tests of models share: goldens, a small random model, error messages.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "suiren/base/file.h"
#include "suiren/core/autograd.h"
#include "suiren/io/npy.h"
#include "suiren/models/transformer.h"

namespace suiren::models {

inline const std::string kFamilies = "tests/golden/families/";

inline nlohmann::json golden(const std::string& path) {
  return nlohmann::json::parse(read_file("tests/golden/" + path));
}

inline TransformerConfig small_config() {
  TransformerConfig c;
  c.vocab_size = 97, c.hidden_size = 32, c.intermediate_size = 48, c.num_hidden_layers = 2;
  c.num_attention_heads = 4, c.num_key_value_heads = 2, c.head_dim = 8, c.max_position_embeddings = 64;
  c.initializer_range = 0.3;
  return c;
}

inline std::vector<int64_t> some_ids(int64_t count, int64_t vocabulary, int64_t salt = 0) {
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < count; ++i) ids.push_back((i * i * 7 + i * 31 + salt * 13 + 5) % vocabulary);
  return ids;
}

inline std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// A folder of its own for a test, removed at the end.
class Folder {
 public:
  explicit Folder(const std::string& name) : path_(testing::TempDir() + "suiren_" + name) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace suiren::models
