#include "suiren/profile/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace suiren::profile {
namespace {

constexpr size_t kWidth = 100;

std::string counted(double n) {
  return n == static_cast<int64_t>(n) ? fmt::format("{:.0f}", n) : fmt::format("{:.1f}", n);
}

// The columns after the name: 43 wide.
std::string figures(const Row& r, const Profile& p) {
  const double steps = static_cast<double>(p.steps);
  std::string rate, share;
  if (r.seconds > 0 && r.roof_seconds > 0) {
    rate = 2 * r.flop_seconds > r.roof_seconds ? fmt::format("{:.1f} GFLOP/s", 1e-9 * r.flops / r.seconds)
                                               : fmt::format("{:.1f} GB/s", 1e-9 * r.bytes / r.seconds);
    share = fmt::format("{:.0f}%", 100 * r.roof_seconds / r.seconds);
  }
  return fmt::format("{:>8}  {:>9.2f}  {:>15}  {:>8}  {:>7.1f}%",
                     counted(static_cast<double>(r.calls) / steps), 1e3 * r.seconds / steps, rate, share,
                     100 * r.seconds / p.seconds);
}

// "f32 [256, 768], f32 [768, 256]" as "[256,768] [768,256]".
std::string compact(const std::string& shapes) {
  std::string text;
  for (size_t i = 0; i < shapes.size(); ++i) {
    if (shapes.compare(i, 4, "f32 ") == 0)
      i += 3;
    else if (shapes.compare(i, 2, ", ") == 0)
      text += shapes[i - 1] == ']' ? ' ' : ',', ++i;
    else
      text += shapes[i];
  }
  return text;
}

std::string line(const std::string& name, size_t width, const std::string& columns) {
  return fmt::format("{:{}}  {}\n", name.size() > width ? name.substr(0, width - 3) + "..." : name, width,
                     columns);
}

std::string header(const char* name, size_t width) {
  return line(name, width,
              fmt::format("{:>8}  {:>9}  {:>15}  {:>8}  {:>8}", "calls", "ms", "rate", "of roof", "of step"));
}
const size_t kNameWidth = kWidth - figures({}, {.steps = 1, .seconds = 1}).size() - 2;

// The rows, the longest first, and one for those beyond `most`.
std::string rows_of(const std::vector<Row>& rows, size_t most, const Profile& p, const char* what,
                    const auto& name) {
  std::string text = header(what, kNameWidth);
  Row rest;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (i < most)
      text += line(name(rows[i]), kNameWidth, figures(rows[i], p));
    else
      rest += rows[i];
  }
  if (rest.calls > 0) text += line(fmt::format("{} more", rows.size() - most), kNameWidth, figures(rest, p));
  return text;
}

std::string roofs_line(const Roofs& r) {
  std::string text;
  const auto add = [&](const char* what, double value, const char* unit) {
    if (value > 0) text += fmt::format("{}{} {:.1f} {}", text.empty() ? "" : ", ", what, value * 1e-9, unit);
  };
  add("f32", r.flops[kF32.id()], "GFLOP/s");
  if (r.flops[kBF16.id()] != r.flops[kF32.id()]) add("bf16", r.flops[kBF16.id()], "GFLOP/s");
  add("memory read", r.read, "GB/s");
  if (r.update != r.read) add("read and written", r.update, "GB/s");
  return text.empty() ? "roofs: not known for this device" : "roofs: " + text;
}

}  // namespace

std::string profile_table(const Profile& p, size_t most) {
  if (p.steps == 0 || p.seconds <= 0) return "profile: no step was watched\n";
  const std::vector<Row> ops = p.by_op();
  std::string text =
      fmt::format("profile of {} steps of {:.2f} ms, {} threads\n{}\n\n", p.steps,
                  1e3 * p.seconds / static_cast<double>(p.steps), p.threads, roofs_line(p.roofs));
  text += rows_of(ops, most, p, "op, a step", [](const Row& r) { return r.op; });
  Row all;
  for (const Row& r : ops) all += r;
  Row outside;
  outside.seconds = p.outside_ops();
  std::string columns = figures(outside, p);
  columns.replace(0, 8, 8, ' ');  // it has no calls
  text += line("outside ops: host work, waiting", kNameWidth, columns);
  all.seconds = p.seconds;
  text += line("the step", kNameWidth, figures(all, p));
  text += "\n" + rows_of(p.by_shape, most, p, "op and its inputs, a step",
                         [](const Row& r) { return r.op + " " + compact(r.shapes); });
  return text;
}

}  // namespace suiren::profile
