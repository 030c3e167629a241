#include "suiren/core/tensor.h"

#include <gtest/gtest.h>

#include <numeric>

#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/core/host_array.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/view/view.h"

namespace suiren {
namespace {

Tensor counting(const Shape& shape) {
  std::vector<float> v(static_cast<size_t>(shape.numel()));
  std::iota(v.begin(), v.end(), 0.0f);
  return Tensor::from(v, shape);
}

template <class F>
std::string error_of(F f, ErrorCode code) {
  try {
    f();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Shapes, CountElements) {
  EXPECT_EQ(Shape{}.numel(), 1);
  EXPECT_EQ((Shape{2, 3, 4}).numel(), 24);
  EXPECT_EQ((Shape{2, 0, 4}).numel(), 0);
  EXPECT_EQ(contiguous_strides({2, 3, 4}), (Strides{12, 4, 1}));
  EXPECT_TRUE(is_contiguous({2, 1, 4}, {4, 99, 1}));  // an extent of 1 has no stride
  EXPECT_FALSE(is_contiguous({2, 3}, {1, 2}));
  EXPECT_TRUE(is_contiguous({0, 3}, {7, 7}));
  EXPECT_EQ(broadcast({3, 1, 5}, {4, 1}), (Shape{3, 4, 5}));
  EXPECT_EQ(broadcast({}, {2}), (Shape{2}));
  EXPECT_EQ(broadcast({0}, {1}), (Shape{0}));
  const std::string text = error_of([] { broadcast({2, 3}, {4}); }, ErrorCode::kShape);
  EXPECT_NE(text.find("[2, 3]"), std::string::npos) << text;
  EXPECT_NE(text.find("[4]"), std::string::npos) << text;
  EXPECT_EQ(normalize_axis(-1, 3), 2);
  error_of([] { normalize_axis(3, 3); }, ErrorCode::kShape);
  error_of([] { Shape s{1, 1, 1, 1, 1, 1, 1, 1, 1}; }, ErrorCode::kShape);
}

TEST(Tensors, AreTheSameBytesUnderAnotherDtype) {
  const Tensor bytes = Tensor::from_bytes(std::vector<uint8_t>(3 * 68, 1), {3, 68}, kU8);
  const Tensor rows = slice(bytes, 0, 1, 3), blocks = rows.reinterpret({2, 64}, kQ8_0);
  EXPECT_EQ(blocks.dtype(), kQ8_0);
  EXPECT_EQ(blocks.offset(), 64);
  EXPECT_EQ(blocks.storage(), bytes.storage());
  EXPECT_EQ(blocks.to_bytes(), rows.to_bytes());
  const Tensor back = blocks.reinterpret({34, 2}, kI16);
  EXPECT_EQ(back.offset(), 34);
  EXPECT_EQ(back.to_vector<int16_t>(), std::vector<int16_t>(68, 257));
  for (const auto& wrong :
       {+[](const Tensor& t) {
          return t.reinterpret({2, 32}, kQ8_0);
        },  // fewer bytes
        +[](const Tensor& t) {
          return t.reinterpret({128}, kQ8_0).reinterpret({4, 34}, kF32);
        },
        +[](const Tensor& t) {
          return t.reinterpret({8, 16}, kQ8_0);
        },  // no whole rows
        +[](const Tensor& t) {
          return slice(t, 1, 0, 34).reinterpret({2, 32}, kQ8_0);
        },
        +[](const Tensor& t) { return slice(t.reinterpret({136}, kU8), 0, 1, 69).reinterpret({34}, kI16); }})
    EXPECT_NE(error_of([&] { wrong(rows); }, ErrorCode::kShape).find("does not hold the bytes"),
              std::string::npos);
  EXPECT_EQ(error_of(
                [&] {
                  rows.reinterpret({2, 32}, kQ8_0);
                },
                ErrorCode::kShape),
            "a tensor [2, 68] of u8 does not hold the bytes of one [2, 32] of q8_0");
}

TEST(Tensors, HoldTheirValues) {
  const Tensor t = counting({2, 3});
  EXPECT_EQ(t.numel(), 6);
  EXPECT_EQ(t.bytes(), 24);
  EXPECT_EQ(t.dim(-1), 3);
  EXPECT_TRUE(t.is_contiguous());
  EXPECT_EQ(t.to_vector<float>(), (std::vector<float>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(t.data<float>()[4], 4);
  EXPECT_EQ(Tensor::zeros({kI16, {2, 2}, Device()}).to_vector<int16_t>(), (std::vector<int16_t>{0, 0, 0, 0}));
  EXPECT_EQ(Tensor::from(std::vector<double>{7}, {}).item(), 7);
  EXPECT_FALSE(Tensor().defined());
}

TEST(Tensors, RefuseWhatTheyAreNot) {
  const Tensor t = counting({2, 3});
  EXPECT_NE(error_of([&] { t.data<double>(); }, ErrorCode::kShape).find("f32"), std::string::npos);
  error_of([&] { (void)t.to_vector<int32_t>(); }, ErrorCode::kShape);
  EXPECT_NE(error_of([&] { (void)t.item(); }, ErrorCode::kShape).find("[2, 3]"), std::string::npos);
  error_of([] { Tensor::from(std::vector<float>{1, 2}, {3}); }, ErrorCode::kShape);
  error_of([] { Tensor::empty({2, -1}, kF32); }, ErrorCode::kShape);
  error_of([] { Tensor::empty({int64_t{1} << 40, int64_t{1} << 40}, kF32); }, ErrorCode::kShape);
  const std::string text = error_of([] { Device("gpu9"); }, ErrorCode::kNotFound);
  EXPECT_NE(text.find("gpu9"), std::string::npos) << text;
  EXPECT_NE(text.find("cpu"), std::string::npos) << "lists what there is: " << text;
  error_of([] { Device("cpu:7"); }, ErrorCode::kNotFound);
}

TEST(Tensors, OfZeroElements) {
  for (const Shape& s : {Shape{0}, Shape{3, 0}, Shape{0, 5, 2}}) {
    const Tensor t = Tensor::empty(s, kF32);
    EXPECT_EQ(t.numel(), 0);
    EXPECT_TRUE(t.to_bytes().empty());
    EXPECT_TRUE(transpose(t.rank() > 1 ? t : unsqueeze(t, 0)).to_bytes().empty());
    EXPECT_TRUE(copy(t).to_bytes().empty());
  }
}

TEST(Views, ShareMemory) {
  const Tensor t = counting({4, 6});
  const Tensor column = slice(t, 1, 1, 6, 2);
  EXPECT_EQ(column.shape(), (Shape{4, 3}));
  EXPECT_EQ(column.storage(), t.storage());
  t.data<float>()[1] = 100;
  EXPECT_EQ(column.to_vector<float>()[0], 100);
  EXPECT_EQ(column.data<float>()[0], 100) << "data() points at the first element";
}

TEST(Views, ReadInRowMajorOrder) {
  const Tensor t = counting({2, 3});
  EXPECT_EQ(transpose(t).to_vector<float>(), (std::vector<float>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(slice(t, 1, -1, 3).to_vector<float>(), (std::vector<float>{2, 5}));
  EXPECT_EQ(slice(t, 1, 2, 1).shape(), (Shape{2, 0}));
  EXPECT_EQ(broadcast_to(slice(t, 0, 1, 2), {2, 2, 3}).to_vector<float>(),
            (std::vector<float>{3, 4, 5, 3, 4, 5, 3, 4, 5, 3, 4, 5}));
  EXPECT_EQ(permute(counting({2, 3, 2}), {1, 2, 0}).to_vector<float>(),
            (std::vector<float>{0, 6, 1, 7, 2, 8, 3, 9, 4, 10, 5, 11}));
  EXPECT_EQ(unsqueeze(t, -1).shape(), (Shape{2, 3, 1}));
  EXPECT_EQ(squeeze(unsqueeze(t, 0), 0).shape(), t.shape());
  // Backwards: the ABI allows negative strides.
  const Tensor reversed = t.alias({2, 3}, {-3, -1}, 5);
  EXPECT_EQ(reversed.to_vector<float>(), (std::vector<float>{5, 4, 3, 2, 1, 0}));
}

TEST(Views, ReshapeKeepsMemoryWhenStridesAllow) {
  const Tensor t = counting({4, 6});
  EXPECT_EQ(reshape(t, {2, 2, 6}).storage(), t.storage());
  EXPECT_EQ(reshape(t, {-1, 3}).shape(), (Shape{8, 3}));
  const Tensor rows = slice(t, 0, 0, 4, 2);  // [2, 6] with stride 12
  EXPECT_EQ(reshape(rows, {2, 3, 2}).storage(), t.storage());
  EXPECT_EQ(reshape(rows, {12}).to_vector<float>(),
            (std::vector<float>{0, 1, 2, 3, 4, 5, 12, 13, 14, 15, 16, 17}));
  EXPECT_NE(reshape(rows, {12}).storage(), t.storage());
  EXPECT_EQ(reshape(transpose(t), {24}).to_vector<float>()[1], 6);
  EXPECT_EQ(reshape(broadcast_to(counting({1, 3}), {4, 3}), {2, 2, 3}).numel(), 12);
  error_of([&] { reshape(t, {5, 5}); }, ErrorCode::kShape);
  error_of([&] { reshape(t, {-1, -1}); }, ErrorCode::kShape);
  error_of([&] { reshape(t, {7, -1}); }, ErrorCode::kShape);
}

// Every reshape of a small strided tensor, against a reshape of its row-major copy.
TEST(Views, ReshapeEqualsThatOfACopy) {
  const Tensor t = counting({4, 6, 2});
  const Tensor sources[] = {t,
                            transpose(t),
                            slice(t, 1, 0, 6, 2),
                            slice(t, 2, 1, 2),
                            permute(t, {2, 0, 1}),
                            broadcast_to(slice(t, 0, 0, 1), {4, 6, 2})};
  const int64_t counts[] = {1, 2, 3, 4, 6, 8, 12};
  int tried = 0;
  for (const Tensor& x : sources)
    for (int64_t a : counts)
      for (int64_t b : counts) {
        if (x.numel() % (a * b) != 0) continue;
        const Shape to{a, x.numel() / (a * b), b};
        EXPECT_EQ(reshape(x, to).to_bytes(),
                  reshape(Tensor::from(x.to_vector<float>(), x.shape()), to).to_bytes())
            << fmt::format("{} {} -> {}", x.shape(), x.strides(), to);
        ++tried;
      }
  EXPECT_GT(tried, 100);
}

TEST(StorageVersions, ChangeWithEveryWrite) {
  const Tensor t = counting({2, 3}), view = slice(t, 0, 0, 1);
  const uint64_t before = t.storage()->version();
  (void)copy(t);
  EXPECT_EQ(t.storage()->version(), before) << "reading is no write";
  assign(view, counting({1, 3}));
  EXPECT_NE(t.storage()->version(), before);
  const Tensor other = counting({2, 3});
  EXPECT_NE(other.storage()->version(), t.storage()->version()) << "versions are unique over the process";
}

TEST(Tensors, AreLeavesOnlyWhenFloating) {
  Tensor t = counting({2});
  EXPECT_FALSE(t.requires_grad());
  EXPECT_TRUE(t.set_requires_grad().requires_grad());
  EXPECT_FALSE(t.detach().requires_grad());
  EXPECT_EQ(t.detach().storage(), t.storage());
  EXPECT_FALSE(t.set_requires_grad(false).requires_grad());
  Tensor ids = Tensor::empty({2}, kI64);
  error_of([&] { ids.set_requires_grad(); }, ErrorCode::kShape);
}

}  // namespace
}  // namespace suiren
