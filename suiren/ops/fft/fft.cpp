#include "suiren/ops/fft/fft.h"

#include <cmath>
#include <numbers>

#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/concat/concat.h"
#include "suiren/ops/copy/copy.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

int64_t bins(int64_t n) { return n / 2 + 1; }

void check_norm(int64_t norm) {
  SR_CHECK(norm >= 0 && norm <= 2, "norm is {}, expected 0 (backward), 1 (ortho) or 2 (forward)", norm);
}
// The norm whose other direction is the transposed map.
FftNorm flipped(int64_t norm) { return static_cast<FftNorm>(2 - norm); }

Wide scale_of(int64_t n, int64_t norm, bool inverse) {
  if (norm == 1) return 1 / std::sqrt(static_cast<Wide>(n));
  return (norm == 2) != inverse ? 1 / static_cast<Wide>(n) : 1;
}

// cos and sin of 2 pi j / n.
struct Circle {
  std::vector<Wide> cos, sin;
  explicit Circle(int64_t n) : cos(static_cast<size_t>(n)), sin(cos.size()) {
    for (int64_t j = 0; j < n; ++j) {
      const Wide angle = 2 * std::numbers::pi_v<Wide> * static_cast<Wide>(j) / static_cast<Wide>(n);
      cos[static_cast<size_t>(j)] = std::cos(angle);
      sin[static_cast<size_t>(j)] = std::sin(angle);
    }
  }
};

bool is_edge(int64_t k, int64_t n) { return k == 0 || 2 * k == n; }

// `edge` for the bins that stand for themselves, `inner` for those that stand for a conjugate too: [bins, 2],
// as long rows are multiplied faster than pairs.
Tensor bin_weights(int64_t n, double edge, double inner, const Tensor& like) {
  const Tensor k = arange(0, bins(n), 1, kI64, like.device());
  const auto number = [&](double x) { return full({}, x, like.dtype(), like.device()); };
  const Tensor last = full({}, n % 2 == 0 ? static_cast<double>(n / 2) : 0, kI64, like.device());
  const Tensor zero = full({}, 0, kI64, like.device());
  const Tensor weights = where(logical_or(eq(k, zero), eq(k, last)), number(edge), number(inner));
  return contiguous(broadcast_to(unsqueeze(weights, 1), {bins(n), 2}));
}

struct Rfft {
  static constexpr OpName name = "rfft";
  static constexpr const char* doc = "y[..., k] = sum over t of x[..., t] exp(-2 pi i k t / n), k <= n / 2";
  struct Attrs {
    int64_t norm;
  };
  static constexpr auto fields = std::tuple{field("norm", &Attrs::norm)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_norm(a.norm);
    SR_CHECK_AS(kShape, x.rank() >= 1 && x.dim(-1) >= 1, "x has shape {}: there is nothing to transform",
                x.shape);
    Shape shape = x.shape;
    shape[shape.rank() - 1] = bins(x.dim(-1));
    shape.push_back(2);
    return {{x.dtype, shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = in[0].dim(-1), M = bins(n);
    const Circle w(n);
    const Wide scale = scale_of(n, a.norm, false);
    for (int64_t row = 0; row < in[0].numel() / n; ++row)
      for (int64_t k = 0; k < M; ++k) {
        Wide re = 0, im = 0;
        for (int64_t t = 0, j = 0; t < n; ++t, j = j + k >= n ? j + k - n : j + k) {
          re += in[0][row * n + t] * w.cos[static_cast<size_t>(j)];
          im -= in[0][row * n + t] * w.sin[static_cast<size_t>(j)];
        }
        out[0][(row * M + k) * 2] = scale * re;
        out[0][(row * M + k) * 2 + 1] = is_edge(k, n) ? 0 : scale * im;
      }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    const int64_t n = c.in_spec(0).shape.dim(-1);
    return {irfft(c.grad() * bin_weights(n, 1, 0.5, c.grad()), n, flipped(a.norm))};
  }
  static Samples samples() {
    return {sample(Attrs{0}, {real({3, 8})}),
            sample(Attrs{0}, {real({1})}),
            sample(Attrs{1}, {real({5, 2})}),
            sample(Attrs{2}, {real({4, 15})}),
            sample(Attrs{0}, {real({2, 2, 14})}),  // a factor of 7: as a convolution
            sample(Attrs{1}, {real({17, 11})}),
            sample(Attrs{0}, {real({18, 60})}),
            sample(Attrs{0}, {real({0, 4})}),
            bad(Attrs{0}, {real({2, 0})}, "x has shape [2, 0]: there is nothing to transform"),
            bad(Attrs{3}, {real({2, 4})}, "norm is 3, expected 0 (backward), 1 (ortho) or 2 (forward)")};
  }
};

struct Irfft {
  static constexpr OpName name = "irfft";
  static constexpr const char* doc = "y[..., t] = sum over all n bins of x[..., k] exp(2 pi i k t / n) / n";
  struct Attrs {
    int64_t n, norm;
  };
  static constexpr auto fields = std::tuple{field("n", &Attrs::n), field("norm", &Attrs::norm)};
  static constexpr DTypes dtypes = kFloating;
  static constexpr uint32_t saved_inputs = 0;
  static Specs infer(const Attrs& a, const TensorSpec& x) {
    check_dtype(dtypes, "x", x);
    check_norm(a.norm);
    SR_CHECK(a.n >= 1, "n is {}, expected at least 1", a.n);
    SR_CHECK_AS(kShape, x.rank() >= 2 && x.dim(-1) == 2 && x.dim(-2) == bins(a.n),
                "x has shape {}, expected [..., {}, 2] for n = {}", x.shape, bins(a.n), a.n);
    Shape shape = x.shape;
    shape.erase(shape.rank() - 1);
    shape[shape.rank() - 1] = a.n;
    return {{x.dtype, shape, x.device}};
  }
  static void reference(const Attrs& a, std::span<const HostArray> in, std::span<HostArray> out) {
    const int64_t n = a.n, M = bins(n);
    const Circle w(n);
    const Wide scale = scale_of(n, a.norm, true);
    for (int64_t row = 0; row < in[0].numel() / (2 * M); ++row)
      for (int64_t t = 0; t < n; ++t) {
        Wide sum = 0;
        for (int64_t k = 0, j = 0; k < M; ++k, j = j + t >= n ? j + t - n : j + t) {
          const Wide re = in[0][(row * M + k) * 2] * w.cos[static_cast<size_t>(j)];
          sum += is_edge(k, n) ? re : 2 * (re - in[0][(row * M + k) * 2 + 1] * w.sin[static_cast<size_t>(j)]);
        }
        out[0][row * n + t] = scale * sum;
      }
  }
  static Grads vjp(const Attrs& a, const Vjp& c) {
    return {rfft(c.grad(), a.n, flipped(a.norm)) * bin_weights(a.n, 1, 2, c.grad())};
  }
  static Samples samples() {
    return {sample(Attrs{8, 0}, {real({3, 5, 2})}),
            sample(Attrs{1, 0}, {real({1, 2})}),
            sample(Attrs{2, 1}, {real({4, 2, 2})}),
            sample(Attrs{15, 2}, {real({3, 8, 2})}),
            sample(Attrs{14, 0}, {real({3, 8, 2})}),
            sample(Attrs{11, 1}, {real({17, 6, 2})}),
            sample(Attrs{60, 0}, {real({18, 31, 2})}),
            sample(Attrs{9, 0}, {real({0, 5, 2})}),
            bad(Attrs{8, 0}, {real({3, 4, 2})}, "x has shape [3, 4, 2], expected [..., 5, 2] for n = 8"),
            bad(Attrs{0, 0}, {real({3, 1, 2})}, "n is 0, expected at least 1")};
  }
};

// x with extent n along the axis (from the end): cut, or padded with zeros.
Tensor resized(const Tensor& x, int axis, int64_t n) {
  if (x.dim(axis) == n) return x;
  if (x.dim(axis) > n) return slice(x, axis, 0, n);
  Shape rest = x.shape();
  rest[x.rank() + axis] = n - x.dim(axis);
  return concat({x, zeros(rest, x.dtype(), x.device())}, axis);
}

}  // namespace

Tensor rfft(const Tensor& x, int64_t n, FftNorm norm) {
  SR_CHECK_AS(kShape, x.rank() >= 1, "rfft: x is a scalar, expected [..., n]");
  return dispatch<Rfft>({static_cast<int64_t>(norm)}, n == -1 ? x : resized(x, -1, n));
}

Tensor irfft(const Tensor& x, int64_t n, FftNorm norm) {
  SR_CHECK_AS(kShape, x.rank() >= 2, "irfft: x has shape {}, expected [..., bins, 2]", x.shape());
  if (n == -1) n = 2 * (x.dim(-2) - 1);
  return dispatch<Irfft>({n, static_cast<int64_t>(norm)}, n < 1 ? x : resized(x, -2, bins(n)));
}

OpList ops_fft() { return {&op_info<Rfft>(), &op_info<Irfft>()}; }

}  // namespace suiren
