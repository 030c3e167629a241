#include "suiren/io/gguf.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "suiren/base/error.h"

namespace suiren::io {
namespace {

using quant::BlockFormat;

const char* kSmall = "tests/golden/io/small.gguf";

template <class T>
std::vector<T> values(const BlockEntry& e) {
  std::vector<T> out(e.bytes.size() / sizeof(T));
  std::memcpy(out.data(), e.bytes.data(), e.bytes.size());
  return out;
}

// tests/golden/io/make_gguf.py wrote these.
TEST(Gguf, ReadsMetadataOfEveryType) {
  const Gguf file = Gguf::open(kSmall);
  EXPECT_EQ(file.version(), 3u);
  EXPECT_EQ(file.alignment(), 64);
  EXPECT_EQ(file.string("general.architecture"), "llama");
  EXPECT_EQ(file.integer("test.u8"), 200);
  EXPECT_EQ(file.integer("test.i8"), -100);
  EXPECT_EQ(file.integer("test.u16"), 60000);
  EXPECT_EQ(file.integer("test.i16"), -30000);
  EXPECT_EQ(file.integer("test.u32"), 4000000000);
  EXPECT_EQ(file.integer("test.i32"), -2000000000);
  EXPECT_EQ(file.integer("test.u64"), int64_t{1} << 62);
  EXPECT_EQ(file.integer("test.i64"), -(int64_t{1} << 62));
  EXPECT_EQ(file.number("test.f32"), 0.5);
  EXPECT_EQ(file.number("test.f64"), 0.1);
  EXPECT_EQ(file.number("test.u8"), 200);
  EXPECT_TRUE(file.boolean("test.bool"));
  EXPECT_EQ(file.string("test.string"), "燧人 \"fire\"\n");
  EXPECT_EQ(file.strings("test.strings"), (std::vector<std::string_view>{"", "a", "睡"}));
  EXPECT_EQ(file.integers("test.integers"), (std::vector<int64_t>{1, -2, 3}));
  EXPECT_EQ(file.numbers("test.integers"), (std::vector<double>{1, -2, 3}));
  EXPECT_EQ(file.numbers("test.numbers"), (std::vector<double>{0.5, -1.25}));
  const GgufValue& flags = *file.find("test.flags");
  EXPECT_EQ(flags.element_type(), GgufValue::kBool);
  EXPECT_FALSE(flags.elements("f")[1].boolean("f"));
  const auto nested = file.find("test.nested")->elements("nested");
  ASSERT_EQ(nested.size(), 2u);
  EXPECT_EQ(nested[0].integers("nested"), (std::vector<int64_t>{1, 2}));
  EXPECT_EQ(nested[1].integers("nested"), (std::vector<int64_t>{3}));
  EXPECT_EQ(file.find("test.none"), nullptr);
  EXPECT_EQ(file.metadata().front().key, "general.architecture");
}

TEST(Gguf, ReadsTensorsRowMajor) {
  const Gguf file = Gguf::open(kSmall);
  EXPECT_EQ(file.names(), (std::vector<std::string>{"matrix", "half", "blocks", "cube"}));
  const BlockEntry& matrix = file.entry("matrix");
  EXPECT_EQ(matrix.format, BlockFormat::kF32);
  EXPECT_EQ(matrix.shape, (std::vector<int64_t>{2, 32}));
  for (size_t i = 0; i < 64; ++i) EXPECT_EQ(values<float>(matrix)[i], (static_cast<float>(i) - 20) / 8);
  EXPECT_EQ(file.entry("half").format, BlockFormat::kF16);
  EXPECT_EQ(file.entry("half").shape, (std::vector<int64_t>{32}));
  EXPECT_EQ(file.entry("blocks").format, BlockFormat::kQ4_0);
  EXPECT_EQ(file.entry("blocks").shape, (std::vector<int64_t>{2, 32}));
  EXPECT_EQ(file.entry("blocks").bytes.size(), 36u);
  EXPECT_EQ(file.entry("cube").shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(values<int32_t>(file.entry("cube"))[23], 23);
  for (const BlockEntry& e : file.entries())
    EXPECT_EQ(reinterpret_cast<uintptr_t>(e.bytes.data()) % 64, 0u) << e.name;
  EXPECT_TRUE(file.contains("cube"));
  EXPECT_FALSE(file.contains("cub"));
}

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

TEST(Gguf, AccessorsNameFileKeyAndType) {
  const Gguf file = Gguf::open(kSmall);
  const std::string where = std::string(kSmall) + ": ";
  expect_has(message([&] { file.integer("test.none"); }), std::string(kSmall) + " has no key 'test.none'");
  expect_has(message([&] { file.integer("test.f32"); }), where + "test.f32 is f32, expected an integer");
  expect_has(message([&] { file.integer("test.bool"); }), where + "test.bool is bool, expected an integer");
  expect_has(message([&] { file.number("test.string"); }),
             where + "test.string is string, expected a number");
  expect_has(message([&] { file.boolean("test.u8"); }), where + "test.u8 is u8, expected a bool");
  expect_has(message([&] { file.string("test.strings"); }),
             "test.strings is an array of string, expected a string");
  expect_has(message([&] { file.strings("test.string"); }),
             "test.string is string, expected an array of strings");
  expect_has(message([&] { file.integers("test.numbers"); }),
             "is an array of f32, expected an array of integers");
  expect_has(message([&] { file.numbers("test.nested"); }),
             "is an array of array, expected an array of numbers");
  expect_has(message([&] { file.find("test.u8")->elements("e"); }), "e is u8, expected an array");
  expect_has(message([&] { file.entry("matrx"); }), "has no tensor 'matrx'; did you mean 'matrix'?");
}

/// A file by hand.
struct Bytes : std::vector<uint8_t> {
  template <class T>
  Bytes& put(T value) {
    const auto* p = reinterpret_cast<const uint8_t*>(&value);
    insert(end(), p, p + sizeof value);
    return *this;
  }
  Bytes& text(std::string_view s) {
    put<uint64_t>(s.size());
    insert(end(), s.begin(), s.end());
    return *this;
  }
  Bytes& pad(size_t to) {
    resize((size() + to - 1) / to * to);
    return *this;
  }
  /// F32 [extents..., GGUF's order], or another type.
  Bytes& tensor(std::string_view name, std::vector<uint64_t> extents, uint64_t offset, uint32_t type = 0) {
    text(name).put(static_cast<uint32_t>(extents.size()));
    for (uint64_t e : extents) put(e);
    return put(type).put(offset);
  }
};

Bytes head(uint64_t tensors, uint64_t keys, uint32_t version = 3) {
  Bytes b;
  for (char c : {'G', 'G', 'U', 'F'}) b.push_back(static_cast<uint8_t>(c));
  return b.put(version).put(tensors).put(keys);
}

std::string refusal(const Bytes& bytes) {
  return message([&] { Gguf::from_bytes(bytes, "m.gguf"); });
}

TEST(Gguf, FilesThatAreNoneOrAreNotRead) {
  EXPECT_EQ(refusal(head(0, 0)), "");
  EXPECT_EQ(refusal(head(0, 0, 2)), "");
  expect_has(refusal({}), "does not begin with 'GGUF'");
  Bytes other = head(0, 0);
  other[0] = 'g';
  expect_has(refusal(other), "does not begin with 'GGUF'");
  expect_has(refusal(head(0, 0, 1)), "GGUF version 1 is not supported");
  expect_has(refusal(head(0, 0, 4)), "GGUF version 4 is not supported");
  expect_has(refusal(head(0, 0, 0)), "GGUF version 0 is not supported");
  expect_has(refusal(head(0, 0, 0x03000000)), "big-endian GGUF file (version 3)");
  expect_has(refusal(head(1, 0)), "1 tensors are claimed, but 8 bytes are left");
  expect_has(refusal(head(uint64_t{1} << 63, 0)), "tensors are claimed");
  expect_has(refusal(head(0, ~uint64_t{0})), "18446744073709551615 keys are claimed, but 0 bytes are left");
}

TEST(Gguf, DamagedMetadataIsNamed) {
  const auto one = [](auto&& value) {
    Bytes b = head(0, 1);
    b.text("a.key");
    value(b);
    return refusal(b);
  };
  EXPECT_EQ(one([](Bytes& b) { b.put(7u).put<uint8_t>(1); }), "");
  expect_has(one([](Bytes& b) { b.put(7u).put<uint8_t>(2); }),
             "a.key is a boolean of value 2, expected 0 or 1");
  expect_has(one([](Bytes& b) { b.put(13u).put(0u); }), "a.key has type 13, which GGUF does not know");
  expect_has(one([](Bytes& b) { b.put(8u).put(~uint64_t{0}); }),
             "18446744073709551615 bytes are wanted but 0 are left");
  expect_has(one([](Bytes& b) { b.put(9u).put(99u).put(uint64_t{0}); }), "a.key is an array of type 99");
  for (uint32_t type : {0u, 4u, 8u, 9u, 12u})  // count x size overflows, or is merely too much
    for (uint64_t count : {uint64_t{9}, uint64_t{1} << 61, uint64_t{1} << 63, ~uint64_t{0}})
      expect_has(one([&](Bytes& b) { b.put(9u).put(type).put(count).put(uint64_t{0}); }),
                 fmt::format("a.key is an array of {} elements, but 8 bytes are left", count));
  expect_has(one([](Bytes& b) { b.put(9u).put(8u).put(uint64_t{1}).put(uint64_t{5}); }),
             "5 bytes are wanted but 0 are left");
  expect_has(one([](Bytes& b) { b.put(9u).put(7u).put(uint64_t{2}).put<uint8_t>(1).put<uint8_t>(9); }),
             "a.key is a boolean of value 9");
  const auto nested = [&](int depth) {
    return one([&](Bytes& b) {
      b.put(9u);
      for (int i = 1; i < depth; ++i) b.put(9u).put(uint64_t{1});
      b.put(0u).put(uint64_t{0});
    });
  };
  EXPECT_EQ(nested(64), "");
  expect_has(nested(65), "a.key nests arrays deeper than 64");
  expect_has(refusal(Bytes(head(0, 2)).text("k").put(0u).put<uint8_t>(1).text("k").put(0u).put<uint8_t>(2)),
             "key 'k' stands twice");
  expect_has(refusal(Bytes(head(0, 1)).text("").put(0u).put<uint8_t>(1)),
             "the name of a key that ends at byte 32 is empty");
  expect_has(refusal(Bytes(head(0, 1)).text("\xff").put(0u).put<uint8_t>(1)), "is not UTF-8");
  const Bytes text = Bytes(head(0, 1)).text("k").put(8u).text("\xff");
  expect_has(message([&] { Gguf::from_bytes(text, "m").string("k"); }), "m: k is not UTF-8");
  const Bytes large = Bytes(head(0, 1)).text("k").put(10u).put(uint64_t{1} << 63);
  expect_has(message([&] { Gguf::from_bytes(large, "m").integer("k"); }),
             "m: k is 9223372036854775808, which is beyond 2^63 - 1");
  EXPECT_EQ(Gguf::from_bytes(large, "m").number("k"), 0x1p63);
  for (uint32_t alignment : {0u, 24u, 0x80000001u})
    expect_has(refusal(Bytes(head(0, 1)).text("general.alignment").put(4u).put(alignment)),
               fmt::format("general.alignment is {}, expected a u32 that is a power of two", alignment));
  expect_has(refusal(Bytes(head(0, 1)).text("general.alignment").put(10u).put(uint64_t{32})),
             "general.alignment is u64");
}

TEST(Gguf, DamagedTensorsAreNamed) {
  const auto file = [](size_t data, auto&&... tensor) {
    Bytes b = head(sizeof...(tensor), 0);
    (tensor(b), ...);
    b.pad(32);
    b.resize(b.size() + data);
    return refusal(b);
  };
  const auto t = [](const char* name, std::vector<uint64_t> extents, uint64_t offset, uint32_t type = 0) {
    return [=](Bytes& b) { b.tensor(name, extents, offset, type); };
  };
  EXPECT_EQ(file(40, t("w", {8}, 0), t("v", {2}, 32)), "");
  EXPECT_EQ(file(64, t("w", {8}, 0), t("v", {2}, 32)), "") << "padding after the last";
  EXPECT_EQ(file(36, t("v", {1}, 32), t("w", {8}, 0)), "") << "another order";
  EXPECT_EQ(file(0, t("w", {0}, 0), t("v", {4, 0, 3}, 0)), "");
  EXPECT_EQ(file(4, t("w", {}, 0)), "");
  EXPECT_EQ(file(18, t("w", {32}, 0, 2)), "");
  expect_has(file(4, t("w", {1, 1, 1, 1, 1}, 0)), "tensor 'w' has 5 dimensions, at most 4");
  expect_has(file(4, t("w", {1}, 0, 4)),
             "tensor 'w' has type 4 (q4_2), which is not supported; convert it to one of f32 f16");
  expect_has(file(4, t("w", {1}, 0, 21)), "type 21 (iq3_s)");
  expect_has(file(4, t("w", {1}, 0, 0xffffffff)), "type 4294967295 (unknown)");
  expect_has(file(4, t("w", {uint64_t{1} << 63}, 0)), "tensor 'w' has an extent of 9223372036854775808");
  expect_has(file(4, t("w", {uint64_t{1} << 32, uint64_t{1} << 32}, 0)),
             "tensor 'w': size 4294967296 x 4294967296 is out of range");
  expect_has(file(4, t("w", {uint64_t{1} << 62}, 0)),
             "tensor 'w': size 4611686018427387904 x 4 is out of range");
  expect_has(file(18, t("w", {33}, 0, 2)),
             "tensor 'w' has rows of 33 elements, but q4_0 needs a multiple of 32");
  expect_has(file(18, t("w", {16, 2}, 0, 2)), "rows of 16 elements");
  expect_has(file(31, t("w", {8}, 0)), "tensor 'w' takes 32 bytes from byte 0 of the data, which has 31");
  expect_has(file(32, t("w", {8}, ~uint64_t{31})), "takes 32 bytes from byte 18446744073709551584");
  expect_has(file(40, t("w", {8}, 8)),
             "tensor 'w' begins at byte 8 of the data, which is no multiple of the alignment 32");
  expect_has(file(64, t("w", {8}, 32)), "tensor 'w' begins at byte 32 of the data, expected 0: a hole");
  expect_has(file(64, t("w", {16}, 0), t("v", {8}, 32)),
             "tensor 'v' begins at byte 32 of the data, expected 64: an overlap");
  expect_has(file(64, t("w", {8}, 0), t("w", {8}, 32)), "tensor 'w' stands twice");
  expect_has(file(65, t("w", {16}, 0)), "1 bytes after the last tensor belong to none");
  expect_has(file(4, t("", {1}, 0)), "the name of a tensor that ends at byte 32 is empty");
  expect_has(file(1), "1 bytes after the last tensor belong to none");
  const Bytes claimed = head(2, 0).tensor("w", {1}, 0);
  expect_has(refusal(claimed), "2 tensors are claimed, but 41 bytes are left");
}

TEST(Gguf, EveryTruncationIsRefusedAndNoFlipCrashes) {
  const std::string text = read_file(kSmall);
  const std::vector<uint8_t> whole(text.begin(), text.end());
  const size_t used = whole.size() - 32;  // the file ends in padding after the 96 bytes of "cube"
  for (size_t n = 0; n < used; ++n)
    EXPECT_THROW(Gguf::from_bytes(std::span(whole).first(n), "m"), Error) << n << " bytes";
  int refused = 0, taken = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = whole;
      damaged[i] ^= static_cast<uint8_t>(1 << bit);
      try {
        size_t bytes = 0;
        const Gguf file = Gguf::from_bytes(damaged, "m");
        for (const BlockEntry& e : file.entries()) bytes += e.bytes.size();
        ASSERT_LE(bytes, whole.size());
        ++taken;
      } catch (const Error&) {
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(taken, 1000);  // flips in numbers and strings give valid files
}

class Split : public testing::Test {
 protected:
  std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("suiren-gguf-{}", ::getpid());
  void SetUp() override { std::filesystem::create_directories(folder); }
  void TearDown() override { std::filesystem::remove_all(folder); }
  std::string put(const std::string& name, std::string_view text) {
    write_file(folder / name, text);
    return folder / name;
  }
  static std::string part(int n) {
    return read_file(fmt::format("tests/golden/io/split-0000{}-of-00002.gguf", n));
  }
  /// The part with the bytes of one 16-bit key changed.
  static std::string with(std::string file, std::string_view key, uint16_t value) {
    const size_t at = file.find(key) + key.size() + 4;
    std::memcpy(file.data() + at, &value, sizeof value);
    return file;
  }
};

TEST_F(Split, OpensAllPartsFromTheFirst) {
  const Gguf file = Gguf::open("tests/golden/io/split-00001-of-00002.gguf");
  EXPECT_EQ(file.names(), (std::vector<std::string>{"t0", "t1", "t2"}));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(values<float>(file.entry(fmt::format("t{}", i))), std::vector<float>(3, static_cast<float>(i)));
  EXPECT_EQ(file.string("general.architecture"), "llama");
}

TEST_F(Split, PartsThatDoNotBelongTogetherAreNamed) {
  const auto opened = [](const std::string& path) { return message([&] { Gguf::open(path); }); };
  expect_has(opened("tests/golden/io/split-00002-of-00002.gguf"), "is part 2 of 2; open the first of them");
  expect_has(opened(put("m.gguf", part(1))), "its name should end in -00001-of-00002.gguf");
  const std::string first = put("m-00001-of-00002.gguf", part(1));
  expect_has(opened(first), "m-00002-of-00002.gguf");
  put("m-00002-of-00002.gguf", with(part(2), "split.no", 7));
  expect_has(opened(first), "says that it is part 8 of 2, expected 2 of 2");
  put("m-00002-of-00002.gguf", with(part(2), "split.count", 3));
  expect_has(opened(first), "says that it is part 2 of 3, expected 2 of 2");
  put("m-00002-of-00002.gguf", with(part(2), "split.tensors.count", 4));
  EXPECT_EQ(opened(first), "") << "the first part's number counts";
  put("m-00001-of-00002.gguf", with(part(1), "split.tensors.count", 4));
  expect_has(opened(first), "the 2 parts hold 3 tensors, but split.tensors.count is 4");
  put("m-00001-of-00002.gguf", part(1));
  std::string twin = part(2);
  twin[twin.find("t2") + 1] = '0';
  put("m-00002-of-00002.gguf", twin);
  expect_has(opened(first), "tensor 't0' stands twice");
}

}  // namespace
}  // namespace suiren::io
