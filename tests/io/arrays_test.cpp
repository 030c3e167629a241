// .npz against files that NumPy wrote, damaged archives, and DLPack round trips.

#include "suiren/io/arrays.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "suiren/base/file.h"
#include "suiren/io/dlpack.h"
#include "suiren/ops/view/view.h"

namespace suiren::io {
namespace {

std::vector<uint8_t> bytes_of(const std::string& path) {
  const std::string text = read_file(path);
  return {text.begin(), text.end()};
}

// tests/golden/io/make_npz.py writes a[i, j, k] = (100 i + 10 j + k) / 8 and friends.
void expect_golden(const std::map<std::string, Tensor>& arrays) {
  ASSERT_EQ(arrays.size(), 4u);
  const Tensor a = arrays.at("a");
  ASSERT_EQ(a.shape(), (Shape{2, 3, 4}));
  const auto v = a.to_vector<float>();
  for (int i = 0; i < 24; ++i)
    EXPECT_EQ(v[static_cast<size_t>(i)], static_cast<float>(100 * (i / 12) + 10 * (i / 4 % 3) + i % 4) / 8);
  EXPECT_EQ(arrays.at("days").to_vector<int64_t>(), (std::vector<int64_t>{-3, 0, int64_t{1} << 40}));
  EXPECT_EQ(arrays.at("mask").dtype(), kBool);
  EXPECT_EQ(arrays.at("mask").to_bytes(), (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_EQ(arrays.at("scalar").item(), 2.5);
}

TEST(Npz, ReadsWhatNumpyWrote) {
  expect_golden(load_npz("tests/golden/io/stored.npz"));
  expect_golden(load_npz("tests/golden/io/deflated.npz"));
}

TEST(Npz, ReadsWhatItWrote) {
  const auto path = (std::filesystem::temp_directory_path() / "suiren_arrays_test.npz").string();
  const auto arrays = load_npz("tests/golden/io/deflated.npz");
  save_npz(path, arrays);
  expect_golden(load_npz(path));
  save_npz(path + "2", arrays);
  EXPECT_EQ(read_file(path), read_file(path + "2"));
  std::filesystem::remove(path);
  std::filesystem::remove(path + "2");
}

TEST(Npz, EveryDamageIsAnErrorOrHarmless) {
  for (const char* file : {"tests/golden/io/stored.npz", "tests/golden/io/deflated.npz"}) {
    const auto whole = bytes_of(file);
    int refused = 0;
    for (size_t i = 0; i < whole.size(); ++i) {
      auto bytes = whole;
      bytes[i] ^= 0x5a;
      try {
        const auto arrays = parse_npz(bytes, file);
        // Times, versions and attributes of the archive carry no data: the arrays are what they were, maybe
        // under another name.
        for (const auto& [name, t] : arrays) EXPECT_LE(t.numel(), 24) << name;
      } catch (const Error& e) {
        EXPECT_NE(std::string(e.what()).find(file), std::string::npos) << e.what();
        ++refused;
      }
    }
    EXPECT_GT(refused, static_cast<int>(whole.size()) / 2);
    for (size_t n = 0; n < whole.size(); ++n)
      EXPECT_THROW(parse_npz(std::span(whole).first(n), file), Error) << n;
  }
}

TEST(Npy, TensorsKeepTheirBits) {
  const auto path = (std::filesystem::temp_directory_path() / "suiren_arrays_test.npy").string();
  const Tensor t = Tensor::from(std::vector<float>{1, -0.0f, 3, 4, 5, 6}, {2, 3});
  save_npy(path, transpose(t, 0, 1));
  const Tensor back = load_npy(path);
  EXPECT_EQ(back.shape(), (Shape{3, 2}));
  EXPECT_EQ(back.to_vector<float>(), (std::vector<float>{1, 4, -0.0f, 5, 3, 6}));
  std::filesystem::remove(path);
  EXPECT_THROW(save_npy(path, Tensor::empty({2}, kBF16)), Error);
}

TEST(DLPack, SharesMemoryOutAndCopiesIn) {
  Tensor t = Tensor::from(std::vector<int32_t>{1, 2, 3, 4, 5, 6}, {2, 3});
  DLManagedTensor* out = to_dlpack(slice(transpose(t, 0, 1), 0, 1, 3));
  EXPECT_EQ(out->dl_tensor.ndim, 2);
  EXPECT_EQ(out->dl_tensor.strides[0], 1);
  EXPECT_EQ(out->dl_tensor.byte_offset, 4u);
  EXPECT_EQ(out->dl_tensor.data, t.data<int32_t>());
  t.data<int32_t>()[4] = 50;
  t = Tensor();  // the exported handle keeps the memory alive
  EXPECT_EQ(from_dlpack(out).to_vector<int32_t>(), (std::vector<int32_t>{2, 50, 3, 6}));
}

TEST(DLPack, RefusesWhatItCannotTake) {
  static int released = 0;
  int64_t shape[] = {2};
  float data[] = {1, 2};
  DLManagedTensor m{
      {data, {1, 0}, 1, {2, 32, 1}, shape, nullptr, 0}, nullptr, [](DLManagedTensor*) { ++released; }};
  EXPECT_EQ(from_dlpack(&m).to_vector<float>(), (std::vector<float>{1, 2}));
  m.dl_tensor.device.device_type = 2;
  EXPECT_THROW(from_dlpack(&m), Error);
  m.dl_tensor.device.device_type = 1, m.dl_tensor.dtype.lanes = 4;
  EXPECT_THROW(from_dlpack(&m), Error);
  m.dl_tensor.dtype.lanes = 1, shape[0] = -1;
  EXPECT_THROW(from_dlpack(&m), Error);
  EXPECT_EQ(released, 4);
}

}  // namespace
}  // namespace suiren::io
