#include <nlohmann/json.hpp>

#include "suiren/bench/figures.h"
#include "suiren/ops/cast/cast.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/random/random.h"
#include "suiren/ops/view/view.h"

namespace suiren::bench {
namespace {

// y [m, n] of factors [m, k] and [k, n]; "t" for one that lies the other way round.
struct Product {
  std::string name;
  int64_t m, n, k;
  const char* layout;
  DType dtype;
  bool weight;  // the second factor stays for many calls, as a weight does
};

std::function<void()> make(const Product& p) {
  const auto factor = [&](int64_t rows, int64_t columns, bool turned, uint64_t stream) {
    const Shape shape = turned ? Shape{columns, rows} : Shape{rows, columns};
    const Tensor x =
        p.dtype == kI8 ? cast(normal(shape, 0, 40, 1, stream), kI8) : normal(shape, 0, 1, 1, stream, p.dtype);
    return turned ? transpose(x) : x;
  };
  const Tensor a = factor(p.m, p.k, p.layout[0] == 't', 0), b = factor(p.k, p.n, p.layout[1] == 't', 1);
  b.storage()->set_stable(p.weight);
  if (p.dtype == kI8) return [a, b] { int_matmul(a, b); };
  return [a, b] { matmul(a, b); };
}

Figure figure(const Product& p) {
  const double flops = 2.0 * static_cast<double>(p.m) * static_cast<double>(p.n) * static_cast<double>(p.k);
  return {.group = "gemm",
          .name = p.name + suffix(p.dtype),
          .unit = "GFLOP/s",
          .work = 1e-9 * flops,
          .roof = roof_of(p.dtype),
          .load = flops,
          .make = [p] { return make(p); },
          .peer = std::make_shared<io::Json>(io::Json{{"kind", "matmul"},
                                                      {"m", p.m},
                                                      {"n", p.n},
                                                      {"k", p.k},
                                                      {"layout", p.layout},
                                                      {"dtype", p.dtype.name()}})};
}

}  // namespace

std::vector<Figure> gemm_figures(DType dtype) {
  std::vector<Figure> list;
  for (const int64_t n : {1024, 1536, 2048})
    list.push_back(figure({fmt::format("matmul {}", n), n, n, n, "nn", dtype, false}));
  struct Layer {
    int64_t rows, in, out;
  };
  for (const auto& [rows, in, out] :
       {Layer{4096, 256, 768}, Layer{4096, 704, 256}, Layer{4096, 256, 8192}, Layer{256, 4096, 768}}) {
    const std::string shape = fmt::format("linear {}x{}x{}", rows, in, out);
    list.push_back(figure({shape + " y", rows, out, in, "nt", dtype, true}));    // y = x w^T
    list.push_back(figure({shape + " dx", rows, in, out, "nn", dtype, true}));   // dx = dy w
    list.push_back(figure({shape + " dw", out, in, rows, "tn", dtype, false}));  // dw = dy^T x
  }
  return list;
}

}  // namespace suiren::bench
