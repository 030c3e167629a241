// The report in three forms: lines for a terminal, JSON, one page of HTML.

#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "suiren/base/error.h"
#include "suiren/conform/kit.h"

namespace suiren::conform {
namespace {

using Json = nlohmann::ordered_json;

// Rows worth a line: ops that a chip does not claim are one line together.
bool unclaimed(const Result& r) {
  return r.group == "ops" && r.outcome == Outcome::kSkip && r.detail.rfind("not native", 0) == 0;
}

std::vector<std::string> unclaimed_ops(const Report& report) {
  std::vector<std::string> names;
  for (const Result& r : report.results)
    if (unclaimed(r)) names.push_back(r.check);
  return names;
}

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
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

std::string verdict(const Report& r) {
  return fmt::format("{} passed, {} failed, {} skipped", r.count(Outcome::kPass), r.count(Outcome::kFail),
                     r.count(Outcome::kSkip));
}

std::string rows_as_text(const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const auto& row : rows)
    for (size_t i = 0; i < row.size(); ++i) {
      if (i >= widths.size()) widths.push_back(0);
      widths[i] = std::max(widths[i], row[i].size());
    }
  std::string text;
  for (const auto& row : rows) {
    text += "    ";
    for (size_t i = 0; i < row.size(); ++i) text += fmt::format("{:<{}}  ", row[i], widths[i]);
    text += "\n";
  }
  return text;
}

constexpr const char* kStyle = R"(
body{font:16px/1.5 system-ui,"Noto Sans CJK SC",sans-serif;margin:0 auto;max-width:60rem;padding:1rem;color:#1d2330;background:#fbfaf7}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin:1.6rem 0 .4rem}
.check{border-left:.3rem solid #9aa;padding:.3rem .7rem;margin:.3rem 0;background:#fff}
.pass{border-color:#2a7d4f}.FAIL{border-color:#c0282d;background:#fdf0ef}.skip{border-color:#b9a44c}
.check b{font-weight:600}.zh{color:#667}.detail{display:block;font-size:.9rem;white-space:pre-wrap;overflow-wrap:anywhere;color:#445}
.verdict{font-size:1.1rem;font-weight:600}table{border-collapse:collapse;font-size:.85rem;display:block;overflow-x:auto}td,th{padding:.15rem .6rem;text-align:left}
@media(prefers-color-scheme:dark){body{background:#14171d;color:#e6e6e6}.check{background:#1c2129}.FAIL{background:#361c1e}.detail,.zh{color:#aab}}
)";

std::string check_as_html(const Result& r) {
  std::string html = fmt::format(
      "<div class=\"check {0}\"><b>{0}</b> {1} · {2} <span class=zh>{3}</span><span class=detail>{4}</span>",
      outcome_name(r.outcome), escaped(r.check), escaped(r.title),
      escaped(r.chinese == r.check ? "" : r.chinese), escaped(r.detail));
  if (!r.rows.empty()) {
    html += "<table>";
    for (size_t i = 0; i < r.rows.size(); ++i) {
      html += "<tr>";
      for (const std::string& cell : r.rows[i])
        html += fmt::format("<{0}>{1}</{0}>", i ? "td" : "th", escaped(cell));
      html += "</tr>";
    }
    html += "</table>";
  }
  return html + "</div>\n";
}

const char* group_heading(const std::string& group) {
  static constexpr std::pair<const char*, const char*> kHeadings[] = {
      {"abi", "The border · 接口"},   {"memory", "Memory · 内存"},       {"streams", "Streams · 流与次序"},
      {"ops", "Ops · 算子"},          {"gradients", "Gradients · 梯度"}, {"training", "A model · 模型"},
      {"roofline", "How fast · 速度"}};
  for (const auto& [name, heading] : kHeadings)
    if (group == name) return heading;
  return "";
}

}  // namespace

std::string as_table(const Report& report, bool colour) {
  const auto paint = [&](const char* code, const std::string& text) {
    return colour ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : text;
  };
  std::string text = fmt::format("{} · {}\n", report.target, report.version.empty() ? "?" : report.version),
              group;
  const auto missing = unclaimed_ops(report);
  for (const Result& r : report.results) {
    if (unclaimed(r)) continue;
    if (r.group != group) text += fmt::format("\n{}\n", paint("1", group_heading(group = r.group)));
    const char* code = r.outcome == Outcome::kPass ? "32" : r.outcome == Outcome::kFail ? "31;1" : "33";
    text += fmt::format("  {}  {:<20} {}\n", paint(code, outcome_name(r.outcome)), r.check, r.detail);
    text += rows_as_text(r.rows);
  }
  if (!missing.empty())
    text += fmt::format("\n{} ops are not native: {}\n", missing.size(), fmt::join(missing, " "));
  return text + fmt::format("\n{}\n", paint(report.passed() ? "32;1" : "31;1", verdict(report)));
}

std::string as_json(const Report& report) {
  Json j{{"target", report.target},
         {"chip", report.version},
         {"passed", report.passed()},
         {"pass", report.count(Outcome::kPass)},
         {"fail", report.count(Outcome::kFail)},
         {"skip", report.count(Outcome::kSkip)},
         {"checks", Json::array()}};
  for (const Result& r : report.results) {
    Json row{
        {"group", r.group},   {"check", r.check},
        {"asks", r.title},    {"outcome", r.outcome == Outcome::kFail ? "fail" : outcome_name(r.outcome)},
        {"detail", r.detail}, {"seconds", r.seconds}};
    if (!r.figures.empty())
      for (const auto& [name, value] : r.figures) row["figures"][name] = value;
    if (!r.rows.empty()) row["rows"] = r.rows;
    j["checks"].push_back(std::move(row));
  }
  return j.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string as_page(const Report& report) {
  std::string html = fmt::format(
      "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width,"
      "initial-scale=1\"><title>suiren conform: {0}</title><style>{1}</style>\n<h1>suiren conform · "
      "芯片符合性测试</h1>"
      "<p>{0}<br>{2}</p><p class=verdict>{3}</p>\n",
      escaped(report.target), kStyle, escaped(report.version), verdict(report));
  std::string group;
  for (const Result& r : report.results) {
    if (unclaimed(r)) continue;
    if (r.group != group) html += fmt::format("<h2>{}</h2>\n", group_heading(group = r.group));
    html += check_as_html(r);
  }
  const auto missing = unclaimed_ops(report);
  if (!missing.empty())
    html += fmt::format("<h2>Not native · 尚未原生支持</h2><p>{}</p>\n",
                        escaped(fmt::format("{}", fmt::join(missing, ", "))));
  return html + "</html>\n";
}

}  // namespace suiren::conform
