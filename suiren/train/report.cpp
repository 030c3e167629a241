#include "suiren/train/report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include <fmt/format.h>

#include "suiren/base/file.h"
#include "suiren/io/json.h"
#include "suiren/train/progress.h"
#include "suiren/train/run_directory.h"

namespace suiren::train {
namespace {

constexpr double kWidth = 860, kHeight = 360, kLeft = 56, kRight = 16, kTop = 16, kBottom = 40;
constexpr size_t kMaxPoints = 1500;  // more would not be seen

std::string escape(const std::string& s) {
  std::string out;
  for (char c : s) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

// A step of 1, 2 or 5 times a power of ten that gives about `count` marks over `range`.
double nice_step(double range, int count) {
  const double raw = std::max(range, 1e-9) / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (double m : {1.0, 2.0, 5.0})
    if (m * power >= raw) return m * power;
  return 10 * power;
}

struct Frame {
  double x0, x1, y0, y1;
  double x(double v) const { return kLeft + (v - x0) / std::max(x1 - x0, 1e-9) * (kWidth - kLeft - kRight); }
  double y(double v) const { return kTop + (y1 - v) / std::max(y1 - y0, 1e-9) * (kHeight - kTop - kBottom); }
};

std::string polyline(const Frame& f, const std::vector<CurvePoint>& points, const char* style) {
  std::string out = fmt::format("<polyline class=\"{}\" points=\"", style);
  const size_t stride = std::max<size_t>(1, points.size() / kMaxPoints);
  for (size_t i = 0; i < points.size(); i += stride)
    out += fmt::format("{:.1f},{:.1f} ", f.x(points[i].step), f.y(std::clamp(points[i].loss, f.y0, f.y1)));
  return out + "\"/>\n";
}

std::vector<CurvePoint> smooth(const std::vector<CurvePoint>& points) {
  std::vector<CurvePoint> out;
  const double keep = std::exp(-1.0 / std::max(1.0, static_cast<double>(points.size()) / 60));
  double sum = 0, weight = 0;  // the weight corrects the start, where few points have been seen
  for (const CurvePoint& p : points) {
    sum = keep * sum + (1 - keep) * p.loss;
    weight = keep * weight + (1 - keep);
    out.push_back({p.step, sum / weight});
  }
  return out;
}

std::string axes(const Frame& f) {
  std::string out;
  const double dy = nice_step(f.y1 - f.y0, 6), dx = nice_step(f.x1 - f.x0, 8);
  for (double v = std::ceil(f.y0 / dy) * dy; v <= f.y1; v += dy)
    out += fmt::format(
        "<line class=\"grid\" x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text x=\"{3}\" "
        "y=\"{4:.1f}\" text-anchor=\"end\">{5:g}</text>\n",
        kLeft, kWidth - kRight, f.y(v), kLeft - 8, f.y(v) + 4, v);
  for (double v = std::ceil(f.x0 / dx) * dx; v <= f.x1; v += dx)
    out += fmt::format("<text x=\"{:.1f}\" y=\"{}\" text-anchor=\"middle\">{}</text>\n", f.x(v),
                       kHeight - kBottom + 18, format_count(static_cast<int64_t>(v)));
  return out + fmt::format("<text x=\"{}\" y=\"{}\" text-anchor=\"middle\">step · 步</text>\n",
                           (kLeft + kWidth - kRight) / 2, kHeight - 6);
}

const char* const kStyle = R"(
:root { color-scheme: light dark; --ink: #1d2026; --paper: #fdfcf9; --soft: #6b7280; --line: #e4e1d8; --fire: #c8401b; --sky: #1f6f8b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8e6e1; --paper: #16181c; --soft: #9aa1ab; --line: #2c3036; --fire: #ff7a4d; --sky: #6cc3de; } }
body { margin: 0 auto; max-width: 900px; padding: 24px 20px 60px; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, "Noto Sans SC", "PingFang SC", sans-serif; }
h1 { font-size: 26px; margin: 8px 0 2px; } h2 { font-size: 18px; margin: 34px 0 8px; } .sub { color: var(--soft); }
.facts { display: flex; flex-wrap: wrap; gap: 10px 28px; margin: 18px 0; } .facts div { min-width: 110px; } .facts b { display: block; font-size: 20px; }
svg { width: 100%; height: auto; } svg text { font-size: 12px; fill: var(--soft); } .grid { stroke: var(--line); }
polyline { fill: none; } .raw { stroke: var(--fire); stroke-opacity: .22; } .mean { stroke: var(--fire); stroke-width: 2; } .held { stroke: var(--sky); stroke-width: 2; } circle { fill: var(--sky); }
.key { font-size: 14px; color: var(--soft); } .key i { display: inline-block; width: 18px; height: 3px; vertical-align: middle; margin: 0 6px 0 14px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; } td { border-top: 1px solid var(--line); padding: 4px 8px 4px 0; vertical-align: top; overflow-wrap: anywhere; } td:first-child { color: var(--soft); width: 220px; }
.poem { white-space: pre-wrap; border-left: 3px solid var(--fire); padding: 4px 0 4px 14px; margin: 14px 0; } .poem span { color: var(--soft); }
)";

std::string fact(const std::string& name, const std::string& value) {
  return fmt::format("<div><b>{}</b><span class=\"sub\">{}</span></div>\n", escape(value), escape(name));
}

std::string row(const std::string& name, const std::string& value) {
  return fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", escape(name), escape(value));
}

}  // namespace

std::string loss_curve_svg(const std::vector<CurvePoint>& training, const std::vector<CurvePoint>& heldout) {
  if (training.empty()) return "<p>no steps yet</p>";
  const auto mean = smooth(training);
  Frame f{training.front().step, std::max(training.back().step, training.front().step + 1), 1e30, -1e30};
  for (const auto* points : {&mean, &heldout})
    for (const CurvePoint& p : *points) f.y0 = std::min(f.y0, p.loss), f.y1 = std::max(f.y1, p.loss);
  const double margin = std::max(0.05 * (f.y1 - f.y0), 0.02);
  f.y0 = std::max(0.0, f.y0 - margin);
  f.y1 += margin;
  std::string svg = fmt::format(
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"loss\" xmlns=\"http://www.w3.org/2000/svg\">\n",
      kWidth, kHeight);
  svg += axes(f) + polyline(f, training, "raw") + polyline(f, mean, "mean");
  if (!heldout.empty()) svg += polyline(f, heldout, "held");
  for (const CurvePoint& p : heldout)
    svg += fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>", f.x(p.step), f.y(p.loss));
  return svg + "</svg>\n";
}

void write_report(const std::string& run, const std::vector<SampleText>& samples, const ReportFacts& facts) {
  const std::string file = run + "/run.json";
  const io::Json record = io::read_json(file);
  const auto count = [&](const char* key) { return io::json_int(record, key, file); };
  const auto text = [&](const char* key) { return io::json_string(record, key, file); };
  const auto rows = read_log(run + "/log.jsonl");
  std::vector<CurvePoint> training, heldout;
  double speed = 0;
  for (const LogRow& r : rows) {
    training.push_back({static_cast<double>(r.step), r.loss});
    if (r.heldout_loss >= 0) heldout.push_back({static_cast<double>(r.step), r.heldout_loss});
    speed += r.tokens_per_second / static_cast<double>(rows.size());
  }
  std::string h =
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width\">\n<title>" +
      escape(run) + " · Suiren</title><style>" + kStyle + "</style></head><body>\n<h1>Suiren 燧人 · " +
      escape(run) + "</h1>\n<div class=\"sub\">" + escape(text("machine")) + " · suiren " +
      escape(text("suiren")) + "</div>\n<div class=\"facts\">\n";
  for (const auto& [name, value] : facts) h += fact(name, value);
  h += fact("parameters · 参数", format_short(static_cast<double>(count("parameters"))));
  if (!rows.empty()) {
    h += fact("steps · 步数", format_count(rows.back().step + 1)) +
         fact("tokens · 词元", format_short(static_cast<double>(rows.back().tokens)));
    h += fact("last loss, nats · 损失", fmt::format("{:.3f}", rows.back().loss));
    if (!heldout.empty()) h += fact("held-out loss · 留出损失", fmt::format("{:.3f}", heldout.back().loss));
    h += fact("tokens/s · 词元每秒", format_count(static_cast<int64_t>(speed)));
  }
  h += "</div>\n<h2>Loss · 损失曲线</h2>\n" + loss_curve_svg(training, heldout) +
       "<div class=\"key\"><i style=\"background:var(--fire)\"></i>training · 训练<i "
       "style=\"background:var(--sky)\"></i>held out · 留出</div>\n";
  if (!samples.empty()) h += "<h2>Samples · 续写</h2>\n";
  for (const SampleText& s : samples)
    h += "<div class=\"poem\"><span>" + escape(s.prompt) + "</span>" + escape(s.text) + "</div>\n";
  h += "<h2>Settings · 设置</h2>\n<table>\n" + row("steps", std::to_string(count("steps"))) +
       row("sequence_length", std::to_string(count("sequence_length")));
  for (const auto& [key, value] : io::json_member(record, "settings", file).items())
    h += row(key, value.is_string() ? value.get<std::string>() : value.dump());
  h +=
      row("roof", fmt::format("{:.0f} GFLOP/s f32, measured", io::json_number(record, "roof_gflops", file))) +
      row("data digest", text("data_digest"));
  write_file(run + "/report.html", h + "</table>\n</body></html>\n");
}

}  // namespace suiren::train
