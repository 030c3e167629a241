#include "suiren/io/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <numeric>

#include "suiren/base/digest.h"
#include "suiren/base/error.h"

namespace suiren::io {

/// A file by hand: u64 length, header, data.
std::vector<uint8_t> file_of(const std::string& header, size_t data) {
  std::vector<uint8_t> out(8 + header.size() + data);
  const uint64_t n = header.size();
  std::memcpy(out.data(), &n, 8);
  std::memcpy(out.data() + 8, header.data(), n);
  std::iota(out.begin() + 8 + static_cast<std::ptrdiff_t>(n), out.end(), uint8_t{0});
  return out;
}

std::string refusal(const std::vector<uint8_t>& bytes) {
  try {
    SafeTensors::from_bytes(bytes, "m.safetensors");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

const char* kHeader =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]},)"
    R"("e":{"dtype":"I64","shape":[0,4],"data_offsets":[11,11]}}  )";

TEST(SafeTensors, ReadsAFileMadeByHand) {
  const auto bytes = file_of(kHeader, 11);
  const auto st = SafeTensors::from_bytes(bytes, "m");
  EXPECT_EQ(st.names(), (std::vector<std::string>{"a", "b", "e"}));
  EXPECT_EQ(st.metadata().at("format"), "pt");
  EXPECT_EQ(st.entry("a").dtype, kF32);
  EXPECT_EQ(st.entry("a").shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(st.entry("a").bytes.size(), 8u);
  EXPECT_EQ(st.entry("b").bytes[2], 10);
  EXPECT_TRUE(st.entry("e").bytes.empty());
  EXPECT_FALSE(st.contains("c"));
  EXPECT_THROW(st.entry("c"), Error);
}

TEST(SafeTensors, EightBitFloatsStandApart) {
  const auto bytes = file_of(R"({"a":{"dtype":"F8_E5M2","shape":[3],"data_offsets":[4,7]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)"
                             R"("c":{"dtype":"F8_E4M3","shape":[2,1],"data_offsets":[7,9]}})",
                             9);
  const auto st = SafeTensors::from_bytes(bytes, "m");
  EXPECT_EQ(st.names(), std::vector<std::string>{"b"});
  ASSERT_EQ(st.float8_entries().size(), 2u);
  const BlockEntry &a = st.float8_entries()[0], &c = st.float8_entries()[1];
  EXPECT_EQ(a.name, "a");
  EXPECT_EQ(a.format, quant::BlockFormat::kF8_E5M2);
  EXPECT_EQ(a.shape, (std::vector<int64_t>{3}));
  EXPECT_EQ(a.bytes[0], 4);
  EXPECT_EQ(c.format, quant::BlockFormat::kF8_E4M3);
  EXPECT_EQ(c.shape, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(c.bytes[1], 8);
  EXPECT_FALSE(st.contains("a"));
  try {
    st.entry("c");
    FAIL() << "a tensor without a dtype was given";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kUnsupported);
    EXPECT_STREQ(e.what(), "m: tensor 'c' is f8_e4m3, which has no dtype here; dequantize it");
  }
}

TEST(SafeTensors, EveryRuleHasItsMessage) {
  const auto one = [](const char* dtype, const char* shape, const char* offsets, size_t data) {
    return refusal(file_of(
        fmt::format(R"({{"w":{{"dtype":"{}","shape":{},"data_offsets":{}}}}})", dtype, shape, offsets),
        data));
  };
  const auto has = [](const std::string& message, const char* part) {
    EXPECT_NE(message.find(part), std::string::npos) << message << "\n  lacks: " << part;
  };
  EXPECT_EQ(one("F32", "[2]", "[0,8]", 8), "");
  EXPECT_EQ(one("F8_E4M3", "[8]", "[0,8]", 8), "");
  has(one("F8_E4M3", "[2,4]", "[0,16]", 16), "data_offsets span 16 bytes, but f8_e4m3 [2, 4] takes 8");
  has(one("F8_E8M0", "[8]", "[0,8]", 8), "tensor 'w': dtype 'F8_E8M0' is not supported");
  has(one("F32", "[3]", "[0,8]", 8), "data_offsets span 8 bytes, but f32 [3] takes 12");
  has(one("F32", "[2]", "[0,8]", 7), "do not lie in the 7 bytes of data");
  has(one("F32", "[2]", "[0,8]", 9), "1 bytes after the last tensor");
  has(one("F32", "[2]", "[1,9]", 9), "a hole");
  has(one("F32", "[2]", "[8,0]", 8), "do not lie");
  has(one("F32", "[-2]", "[0,8]", 8), "shape is [-2], expected an array of integers >= 0");
  has(one("F32", "[4611686018427387904,4]", "[0,8]", 8), "out of range");
  has(one("F32", "[2.0]", "[0,8]", 8), "expected an array of integers");
  has(one("F32", "[2]", "[0]", 8), "do not lie");
  has(one("F32", "[2]", "[0,18446744073709551615]", 8), "expected an array of integers");
  has(refusal(file_of(R"({"w":3})", 0)), "expected a JSON object");
  has(refusal(file_of(R"({"w":{"shape":[0],"data_offsets":[0,0]}})", 0)), "dtype is missing");
  has(refusal(file_of(R"({"__metadata__":{"a":1}})", 0)), "is not a string");
  has(refusal(file_of(R"({"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{}})", 1)),
      "'w' stands twice");
  has(refusal(file_of(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},)"
                      R"("b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}})",
                      3)),
      "an overlap");
  has(refusal(file_of("[]", 0)), "not a JSON object");
  has(refusal({1, 2, 3}), "8 bytes are wanted but 3 are left");
  auto huge = file_of("{}", 0);
  huge[7] = 0x7f;
  has(refusal(huge), "at most 100000000 are allowed");
  auto longer = file_of("{}", 0);
  longer[0] = 200;
  has(refusal(longer), "200 bytes are wanted but 2 are left");
}

TEST(SafeTensors, EveryTruncationIsRefusedAndNoFlipCrashes) {
  const auto whole = file_of(kHeader, 11);
  ASSERT_EQ(refusal(whole), "");
  for (size_t n = 0; n < whole.size(); ++n) {
    EXPECT_NE(refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}), "") << n << " bytes";
  }
  int refused = 0, taken = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = whole;
      damaged[i] ^= static_cast<uint8_t>(1 << bit);
      try {
        const auto st = SafeTensors::from_bytes(damaged, "m");
        size_t bytes = 0;  // what is taken is consistent: the tensors cover the data
        for (const auto& e : st.entries()) {
          int64_t n = e.dtype.size();
          for (int64_t extent : e.shape) n *= extent;
          ASSERT_EQ(static_cast<size_t>(n), e.bytes.size());
          bytes += e.bytes.size();
        }
        ASSERT_EQ(bytes, 11u);
        ++taken;
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 500);
  EXPECT_GE(taken, 11 * 8);  // flips in the data are valid files: digests, not the format, find them
}

TEST(SafeTensors, WrittenFilesReadBackAndAreDeterministic) {
  const auto folder = std::filesystem::temp_directory_path() / fmt::format("suiren-st-{}", ::getpid());
  std::filesystem::create_directories(folder);
  std::vector<uint8_t> data(64);
  std::iota(data.begin(), data.end(), uint8_t{1});
  const auto bytes = [&](size_t at, size_t n) { return std::span<const uint8_t>(data).subspan(at, n); };
  const std::vector<TensorEntry> tensors = {
      {"odd", kU8, {3}, bytes(0, 3)},        {"b.x", kF32, {2, 2}, bytes(4, 16)},
      {"scalar", kF64, {}, bytes(20, 8)},    {"h", kBF16, {1, 2}, bytes(30, 4)},
      {"none", kBool, {0}, bytes(0, 0)},     {"i", kI64, {1}, bytes(40, 8)},
      {"quote\"春", kI8, {1}, bytes(50, 1)}, {"f16", kF16, {1}, bytes(52, 2)}};
  std::vector<std::string> digests;
  write_safetensors(folder / "a", tensors, {{"format", "pt"}}, &digests);
  write_safetensors(folder / "b", tensors, {{"format", "pt"}});
  EXPECT_EQ(read_file(folder / "a"), read_file(folder / "b"));
  const auto st = SafeTensors::open(folder / "a");
  EXPECT_EQ(st.entries().size(), tensors.size());
  ASSERT_EQ(digests.size(), tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    const auto& got = st.entry(tensors[i].name);
    EXPECT_EQ(got.dtype, tensors[i].dtype);
    EXPECT_EQ(got.shape, tensors[i].shape);
    EXPECT_TRUE(
        std::equal(got.bytes.begin(), got.bytes.end(), tensors[i].bytes.begin(), tensors[i].bytes.end()));
    EXPECT_EQ(reinterpret_cast<uintptr_t>(got.bytes.data()) % static_cast<size_t>(got.dtype.size()), 0u);
    EXPECT_EQ(digests[i], sha256({reinterpret_cast<const char*>(got.bytes.data()), got.bytes.size()}));
  }
  const std::string raw = read_file(folder / "a");
  uint64_t header = 0;
  std::memcpy(&header, raw.data(), 8);
  EXPECT_EQ(header % 8, 0u);
  EXPECT_THROW(write_safetensors(folder / "c", std::vector<TensorEntry>{{"x", kF32, {2}, bytes(0, 4)}}),
               Error);
  EXPECT_THROW(write_safetensors(folder / "c", std::vector<TensorEntry>{tensors[0], tensors[0]}), Error);
  EXPECT_FALSE(std::filesystem::exists(folder / "c"));
  std::filesystem::remove_all(folder);
}

}  // namespace suiren::io
