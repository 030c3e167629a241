#include "suiren/train/fallbacks.h"

#include <fmt/format.h>

#include <algorithm>

#include "suiren/train/progress.h"

namespace suiren::train {

std::string fallback_table(std::span<const Fallback> rows, double seconds, size_t most) {
  if (rows.empty()) return "";
  const size_t shown = std::min(rows.size(), most);
  size_t op = 14, shapes = 6;
  for (const Fallback& f : rows.first(shown)) {
    op = std::max(op, f.op.size());
    shapes = std::max(shapes, f.shapes.size());
  }
  const auto row = [&](const std::string& name, const std::string& on, int64_t count, int64_t bytes,
                       double ms, const std::string& reason) {
    return fmt::format("{:{}}  {:{}}  {:>9}  {:>10}  {:>10.1f}  {:>5.1f}%  {}\n", name, op, on, shapes,
                       format_count(count), format_bytes(static_cast<double>(bytes)), ms,
                       seconds > 0 ? ms / (10 * seconds) : 0, reason);
  };
  std::string text =
      fmt::format("fallbacks of {}: ops that ran on the {}\n{:{}}  {:{}}  {:>9}  {:>10}  {:>10}  {:>6}  {}\n",
                  rows[0].device, rows[0].where == "cpu" ? "CPU, by copy" : "reference", "op", op, "shapes",
                  shapes, "calls", "copied", "ms", "share", "reason");
  Fallback rest, all;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Fallback& f = rows[i];
    if (i < shown) text += row(f.op, f.shapes, f.count, f.bytes, f.milliseconds, f.reason);
    for (Fallback* sum : {&all, i < shown ? nullptr : &rest})
      if (sum) sum->count += f.count, sum->bytes += f.bytes, sum->milliseconds += f.milliseconds;
  }
  if (rest.count > 0)
    text += row(fmt::format("{} more rows", rows.size() - shown), "", rest.count, rest.bytes,
                rest.milliseconds, "");
  return text + row("all", "", all.count, all.bytes, all.milliseconds, "");
}

}  // namespace suiren::train
