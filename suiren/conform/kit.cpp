#include "suiren/conform/kit.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <set>

#include "suiren/conform/chip.h"
#include "suiren/core/backend.h"
#include "suiren/core/op.h"

namespace suiren::conform {
namespace {

constexpr Group kGroups[] = {
    {"abi", "The border", "接口", abi_checks},           {"memory", "Memory", "内存", memory_checks},
    {"streams", "Streams", "流与次序", stream_checks},   {"ops", "Ops", "算子", op_checks},
    {"gradients", "Gradients", "梯度", gradient_checks}, {"training", "A model", "模型", training_checks},
    {"roofline", "How fast", "速度", roofline_checks},
};

std::string introduce(const Probe& p) {
  const sr_backend& b = table_of(p.target);
  Chip c(p.target);
  const std::string name(c.info.name, strnlen(c.info.name, sizeof c.info.name));
  return fmt::format("{} {} · {}", b.kind ? b.kind : "?", b.version ? b.version : "?", name);
}

}  // namespace

const char* outcome_name(Outcome outcome) {
  return outcome == Outcome::kPass ? "pass" : outcome == Outcome::kFail ? "FAIL" : "skip";
}

int64_t Report::count(Outcome outcome) const {
  return std::count_if(results.begin(), results.end(), [&](const Result& r) { return r.outcome == outcome; });
}

std::vector<std::string> group_names() {
  std::vector<std::string> names;
  for (const Group& g : kGroups) names.emplace_back(g.name);
  return names;
}

Report run(const Options& options) {
  std::set<std::string> known;
  for (const Group& g : kGroups) {
    known.insert(g.name);
    for (const Check& check : g.checks()) known.insert(std::string(g.name) + "/" + check.name);
  }
  for (const std::string& name : options.only) {
    const std::string near = nearest(name, known);
    SR_CHECK(known.count(name), "there is no group or check '{}'{}", name,
             near.empty()
                 ? fmt::format("; groups are {}, a check is GROUP/NAME", fmt::join(group_names(), ", "))
                 : "; did you mean '" + near + "'?");
  }
  const auto wanted = [&](const std::string& group, const std::string& check) {
    const auto has = [&](const std::string& name) {
      return std::find(options.only.begin(), options.only.end(), name) != options.only.end();
    };
    return options.only.empty() || has(group) || has(group + "/" + check);
  };
  const Target target = parse_target(options.target);
  SR_CHECK_AS(kNotFound, !target.is_file || std::filesystem::exists(options.target),
              "there is no plug-in {}; check the path", options.target);
  if (!target.is_file) find_backend(options.target);  // an unknown name is an error that lists the known ones
  Report report{options.target, "", {}};
  const Result who = run_guarded({"open", "the chip opens", "打开芯片", introduce}, target, options.silence);
  if (who.outcome == Outcome::kPass) report.version = who.detail;
  if (who.outcome != Outcome::kPass) {
    report.results.push_back(who);
    report.results.back().group = "abi";
    if (options.finished) options.finished(report.results.back());
    return report;  // nothing can be asked of a chip that does not open
  }
  for (const Group& g : kGroups)
    for (const Check& check : g.checks()) {
      if (!wanted(g.name, check.name)) continue;
      if (options.starting) options.starting(g.name, check.name);
      report.results.push_back(run_guarded(check, target, options.silence));
      report.results.back().group = g.name;
      if (options.finished) options.finished(report.results.back());
    }
  return report;
}

}  // namespace suiren::conform
