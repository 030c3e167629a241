#include "suiren/io/gguf_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <numeric>

#include "suiren/base/error.h"

namespace suiren::io {
namespace {

using quant::BlockFormat;

class GgufWriting : public testing::Test {
 protected:
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("suiren-ggufw-{}", ::getpid());
  void SetUp() override {
    std::filesystem::create_directories(folder);
    std::iota(data.begin(), data.end(), uint8_t{1});
  }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string path(const char* name) const { return folder / name; }
  std::span<const uint8_t> bytes(size_t at, size_t n) const { return std::span(data).subspan(at, n); }
  std::vector<uint8_t> data = std::vector<uint8_t>(512);
};

std::string message(auto&& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

void expect_has(const std::string& text, const std::string& part) {
  EXPECT_NE(text.find(part), std::string::npos) << text << "\n  lacks: " << part;
}

GgufMetadata metadata_of(const Gguf& file) {
  GgufMetadata metadata;
  for (const auto& [key, value] : file.metadata()) metadata.set(key, value);
  return metadata;
}

TEST_F(GgufWriting, AFileOfGgufPyReadAndWrittenIsTheSame) {
  const Gguf file = Gguf::open("tests/golden/io/small.gguf");
  write_gguf(path("m.gguf"), file.entries(), metadata_of(file));
  EXPECT_EQ(read_file(path("m.gguf")), read_file("tests/golden/io/small.gguf"));
}

TEST_F(GgufWriting, WhatIsWrittenReadsBack) {
  GgufMetadata metadata;
  metadata.set("b", true);
  metadata.set("u8", uint8_t{200});
  metadata.set("i8", int8_t{-5});
  metadata.set("u16", uint16_t{60000});
  metadata.set("i16", int16_t{-5});
  metadata.set("u32", uint32_t{4000000000});
  metadata.set("i32", -5);
  metadata.set("u64", uint64_t{1} << 62);
  metadata.set("i64", int64_t{-5});
  metadata.set("f32", 0.5f);
  metadata.set("f64", 0.1);
  metadata.set("text", "燧\0人");
  metadata.set("strings", std::vector<std::string>{"", "a"});
  metadata.set("ints", std::vector<int32_t>{1, -2});
  metadata.set("floats", std::vector<float>{});
  metadata.set("i32", -6);  // in its place
  const std::vector<BlockEntry> tensors = {{"m", BlockFormat::kQ4_K, {2, 1, 256}, bytes(0, 288)},
                                           {"scalar", BlockFormat::kF32, {}, bytes(3, 4)},
                                           {"none", BlockFormat::kQ8_0, {0, 64}, {}},
                                           {"睡", BlockFormat::kBF16, {3}, bytes(7, 6)}};
  write_gguf(path("a.gguf"), tensors, metadata);
  write_gguf(path("b.gguf"), tensors, metadata);
  EXPECT_EQ(read_file(path("a.gguf")), read_file(path("b.gguf")));
  const Gguf file = Gguf::open(path("a.gguf"));
  EXPECT_EQ(file.metadata().size(), 15u);
  EXPECT_EQ(file.metadata()[6].key, "i32");
  constexpr GgufValue::Type kTypes[] = {GgufValue::kBool, GgufValue::kU8,  GgufValue::kI8,
                                        GgufValue::kU16,  GgufValue::kI16, GgufValue::kU32,
                                        GgufValue::kI32,  GgufValue::kU64, GgufValue::kI64,
                                        GgufValue::kF32,  GgufValue::kF64, GgufValue::kString};
  for (size_t i = 0; i < std::size(kTypes); ++i)
    EXPECT_EQ(file.metadata()[i].value.type(), kTypes[i]) << file.metadata()[i].key;
  EXPECT_TRUE(file.boolean("b"));
  EXPECT_EQ(file.integer("u8"), 200);
  EXPECT_EQ(file.integer("u32"), 4000000000);
  EXPECT_EQ(file.integer("i32"), -6);
  EXPECT_EQ(file.integer("u64"), int64_t{1} << 62);
  EXPECT_EQ(file.number("f32"), 0.5);
  EXPECT_EQ(file.number("f64"), 0.1);
  EXPECT_EQ(file.string("text"), "燧");
  EXPECT_EQ(file.strings("strings"), (std::vector<std::string_view>{"", "a"}));
  EXPECT_EQ(file.integers("ints"), (std::vector<int64_t>{1, -2}));
  EXPECT_TRUE(file.numbers("floats").empty());
  ASSERT_EQ(file.entries().size(), tensors.size());
  for (const BlockEntry& want : tensors) {
    const BlockEntry& got = file.entry(want.name);
    EXPECT_EQ(got.format, want.format);
    EXPECT_EQ(got.shape, want.shape);
    EXPECT_TRUE(std::equal(got.bytes.begin(), got.bytes.end(), want.bytes.begin(), want.bytes.end()))
        << want.name;
  }
  metadata.set("general.alignment", uint32_t{256});
  write_gguf(path("c.gguf"), tensors, metadata);
  const Gguf wide = Gguf::open(path("c.gguf"));
  EXPECT_EQ(wide.alignment(), 256);
  for (const BlockEntry& e : wide.entries()) EXPECT_EQ(reinterpret_cast<uintptr_t>(e.bytes.data()) % 256, 0u);
}

TEST_F(GgufWriting, WhatGgufCannotHoldIsNamedAndNothingIsWritten) {
  const auto refused = [&](std::vector<BlockEntry> tensors, const GgufMetadata& metadata = {}) {
    const std::string text = message([&] { write_gguf(path("m.gguf"), tensors, metadata); });
    EXPECT_TRUE(std::filesystem::is_empty(folder)) << text;
    return text;
  };
  const BlockEntry good{"w", BlockFormat::kF32, {2}, bytes(0, 8)};
  expect_has(refused({{"w", BlockFormat::kF32, {3}, bytes(0, 8)}}),
             "tensor 'w' has 8 bytes, but f32 [3] takes 12");
  expect_has(refused({good, good}), "tensor name 'w' stands twice");
  expect_has(refused({{"", BlockFormat::kF32, {2}, bytes(0, 8)}}), "the name of tensor '' is empty");
  expect_has(refused({{"\xff", BlockFormat::kF32, {2}, bytes(0, 8)}}), "not UTF-8");
  expect_has(refused({{"w", BlockFormat::kF32, {1, 1, 1, 1, 2}, bytes(0, 8)}}),
             "tensor 'w' has 5 dimensions, GGUF allows 4");
  expect_has(refused({{"w", BlockFormat::kQ4_0, {33}, bytes(0, 18)}}), "tensor 'w' has rows of 33 elements");
  expect_has(refused({{"w", BlockFormat::kF8_E4M3, {8}, bytes(0, 8)}}),
             "tensor 'w' is f8_e4m3, which GGUF has not");
  expect_has(refused({{"w", BlockFormat::kF32, {int64_t{1} << 60, 1}, bytes(0, 8)},
                      {"v", BlockFormat::kF32, {int64_t{1} << 60, 1}, {}}}),
             "larger than a file can be");
  GgufMetadata metadata;
  metadata.set("general.alignment", uint32_t{48});
  expect_has(refused({good}, metadata), "general.alignment is 48, expected a u32 that is a power of two");
  expect_has(message([&] { metadata.set("", 1); }), "the key '' is empty");
  GgufWriter writer(path("m.gguf"), {good}, {});
  expect_has(message([&] { writer.commit(); }), "0 of 1 tensors are written; the next is 'w'");
  writer.append(good.bytes);
  expect_has(message([&] { writer.append(good.bytes); }), "all 1 tensors are written already");
  EXPECT_FALSE(std::filesystem::exists(path("m.gguf")));
  writer.commit();
  EXPECT_EQ(Gguf::open(path("m.gguf")).entry("w").shape, (std::vector<int64_t>{2}));
}

}  // namespace
}  // namespace suiren::io
