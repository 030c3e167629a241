#include "suiren/ops/einsum/einsum.h"

#include <algorithm>
#include <map>
#include <string>

#include "suiren/core/op.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/common.h"
#include "suiren/ops/compare/compare.h"
#include "suiren/ops/full/full.h"
#include "suiren/ops/matmul/matmul.h"
#include "suiren/ops/reduce/reduce.h"
#include "suiren/ops/view/view.h"
#include "suiren/ops/where/where.h"

namespace suiren {
namespace {

bool has(const std::string& letters, char c) { return letters.find(c) != std::string::npos; }

struct Equation {
  std::vector<std::string> inputs;
  std::string output;
};

Equation parse(std::string_view text) {
  std::string compact;
  for (char c : text)
    if (c != ' ') compact += c;
  const size_t arrow = compact.find("->");
  const std::string left = compact.substr(0, arrow);
  Equation e{{""}, {}};
  std::map<char, int> times;
  for (char c : left) {
    if (c == ',') {
      e.inputs.emplace_back();
      continue;
    }
    SR_CHECK((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'),
             "einsum: '{}' in \"{}\" is no letter; expected letters, commas and one ->", c, text);
    e.inputs.back() += c;
    ++times[c];
  }
  if (arrow == std::string::npos) {
    for (const auto& [c, n] : times)
      if (n == 1) e.output += c;
    return e;
  }
  e.output = compact.substr(arrow + 2);
  for (size_t i = 0; i < e.output.size(); ++i) {
    SR_CHECK(times.count(e.output[i]), "einsum: \"{}\" asks for '{}', which no operand names", text,
             e.output[i]);
    SR_CHECK(e.output.find(e.output[i], i + 1) == std::string::npos,
             "einsum: \"{}\" names '{}' twice in the result", text, e.output[i]);
  }
  return e;
}

// A tensor whose dimensions have names.
struct Named {
  Tensor x;
  std::string letters;
};

// Sums over the letters that are not in `keep`.
Named reduce(Named t, const std::string& keep) {
  Dims axes;
  std::string left;
  for (size_t i = 0; i < t.letters.size(); ++i)
    if (has(keep, t.letters[i]))
      left += t.letters[i];
    else
      axes.push_back(static_cast<int64_t>(i));
  return axes.empty() ? t : Named{sum(t.x, axes), left};
}

// Repeated letters become one: everything off the diagonal is dropped, then summed over.
Named diagonal(Named t) {
  for (size_t i = 0; i < t.letters.size(); ++i)
    for (size_t j = i + 1; j < t.letters.size(); ++j) {
      if (t.letters[i] != t.letters[j]) continue;
      const auto a = static_cast<int>(i), b = static_cast<int>(j);
      const int64_t n = t.x.dim(a);
      Shape rows, columns;
      for (int d = 0; d < t.x.rank(); ++d) rows.push_back(d == a ? n : 1), columns.push_back(d == b ? n : 1);
      const Tensor at = arange(0, n, 1, kI64, t.x.device());
      const Tensor on = eq(reshape(at, rows), reshape(at, columns));
      t.x = sum(where(on, t.x, zeros({}, t.x.dtype(), t.x.device())), {b});
      t.letters.erase(j--, 1);
    }
  return t;
}

Tensor arranged(const Named& t, const std::string& order) {
  Dims dims;
  for (char c : order) dims.push_back(static_cast<int64_t>(t.letters.find(c)));
  return permute(t.x, dims);
}

// Sums over what `keep` does not name, as one batched matrix product: [batch, m, k] x [batch, k, n].
Named contract(const Named& a, const Named& b, const std::string& keep) {
  std::string batch, m, k, n;
  for (char c : a.letters) (!has(b.letters, c) ? m : has(keep, c) ? batch : k) += c;
  for (char c : b.letters)
    if (!has(a.letters, c)) n += c;
  const auto extent = [](const Named& t, const std::string& letters) {
    int64_t size = 1;
    for (char c : letters) size *= t.x.dim(static_cast<int>(t.letters.find(c)));
    return size;
  };
  const int64_t count = extent(a, batch), rows = extent(a, m), inner = extent(a, k), columns = extent(b, n);
  const Tensor left = reshape(arranged(a, batch + m + k), {count, rows, inner});
  const Tensor right = reshape(arranged(b, batch + k + n), {count, inner, columns});
  Named y{matmul(left, right), batch + m + n};
  Shape shape;
  for (char c : y.letters) {
    const Named& from = has(a.letters, c) ? a : b;
    shape.push_back(from.x.dim(static_cast<int>(from.letters.find(c))));
  }
  y.x = reshape(y.x, shape);
  return y;
}

void check(std::string_view equation, const Equation& e, const std::vector<Tensor>& operands) {
  SR_CHECK(e.inputs.size() == operands.size(), "einsum: \"{}\" names {} operands, got {}", equation,
           e.inputs.size(), operands.size());
  std::map<char, int64_t> extents;
  for (size_t i = 0; i < operands.size(); ++i) {
    const Tensor& x = operands[i];
    SR_CHECK_AS(kShape, x.dtype().is_floating() && x.dtype() == operands[0].dtype(),
                "einsum: operand {} is {}, operand 0 is {}; expected one floating type", i, x.dtype(),
                operands[0].dtype());
    SR_CHECK_AS(kShape, static_cast<size_t>(x.rank()) == e.inputs[i].size(),
                "einsum: operand {} has shape {}, \"{}\" names {} dimensions", i, x.shape(), e.inputs[i],
                e.inputs[i].size());
    for (int d = 0; d < x.rank(); ++d) {
      const char c = e.inputs[i][static_cast<size_t>(d)];
      const auto [at, fresh] = extents.emplace(c, x.dim(d));
      SR_CHECK_AS(kShape, fresh || at->second == x.dim(d), "einsum: '{}' is {} and, in operand {}, {}", c,
                  at->second, i, x.dim(d));
    }
  }
}

}  // namespace

Tensor einsum(std::string_view equation, const std::vector<Tensor>& operands) {
  const Equation e = parse(equation);
  check(equation, e, operands);
  std::vector<Named> list;
  for (size_t i = 0; i < operands.size(); ++i) list.push_back(diagonal({operands[i], e.inputs[i]}));
  // Letters that anything from operand i on, or the result, still asks for.
  const auto needed_after = [&](size_t i) {
    std::string letters = e.output;
    for (; i < list.size(); ++i) letters += list[i].letters;
    return letters;
  };
  Named y = reduce(list[0], needed_after(1));
  for (size_t i = 1; i < list.size(); ++i) {
    const std::string keep = needed_after(i + 1);
    y = contract(y, reduce(list[i], keep + y.letters), keep);
    y = reduce(y, keep);
  }
  return arranged(y, e.output);
}

Tensor outer(const Tensor& a, const Tensor& b) {
  SR_CHECK_AS(kShape, a.rank() == 1 && b.rank() == 1, "outer: a has shape {} and b {}, expected [M] and [N]",
              a.shape(), b.shape());
  return unsqueeze(a, 1) * unsqueeze(b, 0);
}

Tensor tensordot(const Tensor& a, const Tensor& b, int64_t dims) {
  SR_CHECK_AS(kShape, dims >= 0 && dims <= a.rank() && dims <= b.rank(),
              "tensordot: cannot take {} dimensions of {} and {}", dims, a.shape(), b.shape());
  Shape left, right, inner, result;
  for (int d = 0; d < a.rank(); ++d) (d < a.rank() - dims ? left : inner).push_back(a.dim(d));
  for (int d = 0; d < b.rank(); ++d) {
    if (d >= dims)
      right.push_back(b.dim(d));
    else
      SR_CHECK_AS(kShape, b.dim(d) == inner[d],
                  "tensordot: the last {} dimensions of {} are not the first of {}", dims, a.shape(),
                  b.shape());
  }
  for (int64_t d : left) result.push_back(d);
  for (int64_t d : right) result.push_back(d);
  return reshape(
      matmul(reshape(a, {left.numel(), inner.numel()}), reshape(b, {inner.numel(), right.numel()})), result);
}

Tensor kron(const Tensor& a, const Tensor& b) {
  const int rank = std::max(a.rank(), b.rank());
  SR_CHECK_AS(kShape, 2 * rank <= kMaxRank, "kron: a has shape {} and b {}, expected at most {} dimensions",
              a.shape(), b.shape(), kMaxRank / 2);
  Shape wide_a, wide_b, result;
  for (int d = -rank; d < 0; ++d) {
    const int64_t m = -d <= a.rank() ? a.dim(d) : 1, n = -d <= b.rank() ? b.dim(d) : 1;
    wide_a.push_back(m), wide_a.push_back(1);
    wide_b.push_back(1), wide_b.push_back(n);
    result.push_back(m * n);
  }
  return reshape(reshape(a, wide_a) * reshape(b, wide_b), result);
}

OpList ops_einsum() { return {}; }

}  // namespace suiren
