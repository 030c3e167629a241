#include "suiren/io/npy.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "suiren/base/error.h"

namespace suiren::io {

std::vector<uint8_t> npy_bytes(int version, const std::string& header, const std::vector<uint8_t>& data) {
  std::vector<uint8_t> out = {0x93, 'N', 'U', 'M', 'P', 'Y', static_cast<uint8_t>(version), 0};
  const size_t n = header.size();
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) out.push_back(static_cast<uint8_t>(n >> (8 * i)));
  out.insert(out.end(), header.begin(), header.end());
  out.insert(out.end(), data.begin(), data.end());
  return out;
}

std::string npy_refusal(const std::vector<uint8_t>& bytes) {
  try {
    Npy::from_bytes(bytes, "x.npy");
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

std::string dict(const char* descr, const char* order, const char* shape) {
  return fmt::format("{{'descr': '{}', 'fortran_order': {}, 'shape': {}, }}\n", descr, order, shape);
}

TEST(Npy, ReadsBytesMadeByHand) {
  const auto values = [](const char* descr, const std::vector<uint8_t>& data, const char* shape = "(2,)") {
    const auto bytes = npy_bytes(1, dict(descr, "False", shape), data);
    return Npy::from_bytes(bytes, "x").to_doubles();
  };
  using V = std::vector<double>;
  EXPECT_EQ(values("<f4", {0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0}), (V{1, -2}));
  EXPECT_EQ(values("<f8", {0, 0, 0, 0, 0, 0, 0xf0, 0x3f, 0, 0, 0, 0, 0, 0, 0, 0}), (V{1, 0}));
  EXPECT_EQ(values("<f2", {0, 0x3c, 0, 0xc0}), (V{1, -2}));
  EXPECT_EQ(values("|i1", {255, 1}), (V{-1, 1}));
  EXPECT_EQ(values("|u1", {255, 1}), (V{255, 1}));
  EXPECT_EQ(values("|b1", {0, 1}), (V{0, 1}));
  EXPECT_EQ(values("<i2", {255, 255, 1, 0}), (V{-1, 1}));
  EXPECT_EQ(values("<u2", {255, 255, 1, 0}), (V{65535, 1}));
  EXPECT_EQ(values("<i4", {255, 255, 255, 255}, "()"), (V{-1}));
  EXPECT_EQ(values("<u4", {255, 255, 255, 255}, "(1,1)"), (V{4294967295.0}));
  EXPECT_EQ(values("<i8", {254, 255, 255, 255, 255, 255, 255, 255}, "(1,)"), (V{-2}));
  EXPECT_EQ(values("<u8", {2, 0, 0, 0, 0, 0, 0, 0}, "(1,)"), (V{2}));
  for (int version : {1, 2, 3}) {
    const auto bytes = npy_bytes(version, dict("<u2", "False", "(3, 0)"), {});
    EXPECT_EQ(Npy::from_bytes(bytes, "x").shape(), (std::vector<int64_t>{3, 0})) << version;
  }
  EXPECT_EQ(npy_refusal(npy_bytes(1, "{\"shape\":(1,),\"fortran_order\":True,\"descr\":\"|u1\"}", {7})), "");
}

TEST(Npy, RefusesWhatItCannotRead) {
  const auto has = [](const std::vector<uint8_t>& bytes, const char* part) {
    EXPECT_NE(npy_refusal(bytes).find(part), std::string::npos)
        << npy_refusal(bytes) << "\n  lacks: " << part;
  };
  const std::vector<uint8_t> two(8);
  has(npy_bytes(1, dict("<f4", "False", "(3,)"), two), "12 bytes are wanted but 8 are left");
  has(npy_bytes(1, dict("<f4", "False", "(1,)"), two), "4 bytes follow the array");
  has(npy_bytes(1, dict("<f4", "True", "(1, 2)"), two), "Fortran order");
  has(npy_bytes(1, dict(">f4", "False", "(2,)"), two), "type '>f4' is not supported");
  has(npy_bytes(1, dict("<c8", "False", "(1,)"), two), "not supported");
  has(npy_bytes(1, dict("|f4", "False", "(2,)"), two), "not supported");
  has(npy_bytes(1, dict("<f4", "False", "(-2,)"), two), "no extent");
  has(npy_bytes(1, dict("<f4", "False", "(99999999999999999999,)"), two), "too large an extent");
  has(npy_bytes(1, dict("<f4", "False", "(4611686018427387904, 4)"), two), "out of range");
  has(npy_bytes(1, dict("<f4", "Maybe", "(2,)"), two), "no True or False");
  has(npy_bytes(1, "{'descr': '<f4'}", two), "lacks descr, fortran_order or shape");
  has(npy_bytes(1, "{'other': 1}", two), "an unknown key");
  has(npy_bytes(4, dict("<f4", "False", "(2,)"), two), "version 4.0 is not known");
  has({'P', 'K', 3, 4, 5, 6, 7, 8, 9, 10}, "not a .npy file");
  has({}, "6 bytes are wanted but 0 are left");
}

TEST(Npy, TruncationsAndFlipsNeverCrash) {
  const auto whole = npy_bytes(1, dict("<f4", "False", "(2, 1)"), {1, 2, 3, 4, 5, 6, 7, 8});
  ASSERT_EQ(npy_refusal(whole), "");
  for (size_t n = 0; n < whole.size(); ++n)
    EXPECT_NE(npy_refusal({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(n)}), "") << n;
  int refused = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto damaged = whole;
      damaged[i] ^= static_cast<uint8_t>(1 << bit);
      refused += !npy_refusal(damaged).empty();
    }
  }
  EXPECT_GT(refused, 300);
}

TEST(Npy, WritesWhatNumpyWrites) {
  const std::string path =
      std::filesystem::temp_directory_path() / fmt::format("suiren-npy-{}.npy", ::getpid());
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write_npy(path, std::vector<int64_t>{2, 3}, values);
  const std::string raw = read_file(path);
  EXPECT_EQ(raw.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(raw.substr(10, 60), "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), } ");
  EXPECT_EQ(raw.size(), 128u + 24u);
  EXPECT_EQ(raw[127], '\n');
  EXPECT_EQ(std::memcmp(raw.data() + 128, values.data(), 24), 0);
  const auto back = Npy::open(path);
  EXPECT_EQ(back.shape(), (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(back.to_doubles(), (std::vector<double>{1, 2, 3, 4, 5, 6}));
  write_npy(path, std::vector<int64_t>{6}, values);
  EXPECT_NE(read_file(path).find("(6,)"), std::string::npos);
  EXPECT_THROW(write_npy(path, std::vector<int64_t>{7}, values), Error);
  EXPECT_EQ(Npy::open(path).numel(), 6);
  std::filesystem::remove(path);
}

}  // namespace suiren::io
