#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "suiren/bench/bench.h"

namespace suiren::bench {
namespace {

constexpr double kMiB = 1 << 20;

const char* unit_of(Roof roof) { return roof == Roof::kUpdate || roof == Roof::kRead ? "GB/s" : "GFLOP/s"; }

io::Json result_json(const Result& r) {
  io::Json j{{"group", r.group}, {"name", r.name}, {"unit", r.unit}, {"value", r.value}};
  if (r.roof != Roof::kNone)
    j.update({{"roof_of", roof_name(r.roof)},
              {"roof", std::max(r.roof_before, r.roof_after)},
              {"roof_before", r.roof_before},
              {"roof_after", r.roof_after},
              {"roof_unit", unit_of(r.roof)},
              {"share", r.share},
              {"steady", r.steady}});
  if (r.memory > 0) j["memory_bytes"] = r.memory;
  if (r.peer) {
    j["peer"] = {{"value", r.peer->value}, {"mode", r.peer->mode}, {"ratio", r.value / r.peer->value}};
    if (r.peer->memory > 0) {
      j["peer"]["memory_bytes"] = r.peer->memory;
      if (r.memory > 0)
        j["peer"]["memory_ratio"] = static_cast<double>(r.memory) / static_cast<double>(r.peer->memory);
    }
  }
  if (r.last) j["last"] = {{"value", r.last->value}, {"date", r.last->date}};
  return j;
}

std::string number(double v) {
  return v >= 10000 ? fmt::format("{:.0f}", v)
         : v >= 100 ? fmt::format("{:.1f}", v)
                    : fmt::format("{:.2f}", v);
}

std::string line(const std::string& name, const std::string& value, const std::string& unit,
                 const std::string& share, const std::string& last, const std::string& change,
                 const std::string& peer, const std::string& ratio) {
  std::string text = fmt::format("{:30} {:>9} {:8} {:>8} {:>9} {:>6} {:>9} {:>7}", name, value, unit, share,
                                 last, change, peer, ratio);
  text.erase(text.find_last_not_of(' ') + 1);
  return text + "\n";
}

std::string result_lines(const Result& r) {
  std::string text = line(
      r.name, number(r.value), r.unit,
      r.roof == Roof::kNone ? "" : fmt::format("{:.1f}%{}", 100 * r.share, r.steady ? " " : "~"),
      r.last ? number(r.last->value) : "",
      r.last ? fmt::format("{:+.0f}%", 100 * (r.value / r.last->value - 1)) : "",
      r.peer ? number(r.peer->value) : "", r.peer ? fmt::format("{:.2f}x", r.value / r.peer->value) : "");
  if (r.memory > 0) {
    const double ours = static_cast<double>(r.memory),
                 peer = r.peer ? static_cast<double>(r.peer->memory) : 0;
    text += line(r.name + ", peak memory", number(ours / kMiB), "MiB", "", "", "",
                 peer > 0 ? number(peer / kMiB) : "", peer > 0 ? fmt::format("{:.2f}x", ours / peer) : "");
  }
  return text;
}

}  // namespace

const char* roof_name(Roof roof) {
  return roof == Roof::kF32    ? "f32 multiply-add"
         : roof == Roof::kBF16 ? "bf16 multiply-add"
         : roof == Roof::kInt8 ? "int8 multiply-add"
         : roof == Roof::kRead ? "memory read"
                               : "memory read and written";
}

io::Json report_json(const Report& report) {
  io::Json j{{"what", "suiren bench"}, {"version", SUIREN_VERSION},   {"date", report.date},
             {"cpu", report.cpu},      {"isa", report.isa},           {"threads", report.threads},
             {"notes", report.notes},  {"figures", io::Json::array()}};
  if (!report.peer.empty()) j["peer"] = report.peer;
  for (const Result& r : report.results) j["figures"].push_back(result_json(r));
  return j;
}

std::string report_table(const Report& report) {
  std::string text =
      fmt::format("{} · {} threads · {} · suiren {}{}\n", report.cpu, report.threads, report.isa,
                  SUIREN_VERSION, report.peer.empty() ? "" : " · peer " + report.peer);
  text += line("figure", "", "", "of roof", "last", "", report.peer.empty() ? "" : "peer",
               report.peer.empty() ? "" : "ratio");
  std::map<Roof, std::pair<double, double>> roofs;  // the lowest and the highest measured
  bool steady = true;
  for (const Result& r : report.results) {
    text += result_lines(r);
    steady = steady && r.steady;
    if (r.roof == Roof::kNone) continue;
    auto& [low, high] = roofs.try_emplace(r.roof, r.roof_before, r.roof_before).first->second;
    low = std::min({low, r.roof_before, r.roof_after});
    high = std::max({high, r.roof_before, r.roof_after});
  }
  for (const auto& [roof, range] : roofs)
    text += fmt::format("roof: {} {:.1f} to {:.1f} {}, measured around each figure\n", roof_name(roof),
                        range.first, range.second, unit_of(roof));
  if (!steady)
    text += "~ the roof moved by more than 5% during each of three runs: the machine was not idle\n";
  for (const std::string& note : report.notes) text += note + "\n";
  return text;
}

}  // namespace suiren::bench
