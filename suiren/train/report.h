#pragma once
// report.html: one file, no network, no script: the loss curve, the settings, the machine, samples.

#include <string>
#include <utility>
#include <vector>

namespace suiren::train {

/// What a model wrote: the prompt and what followed it.
struct SampleText {
  std::string prompt, text;
};

/// Facts beside those of run.json, shown at the top ("held-out", "2.71 bits per byte").
using ReportFacts = std::vector<std::pair<std::string, std::string>>;

/// Reads RUN/run.json and RUN/log.jsonl and writes RUN/report.html.
void write_report(const std::string& run, const std::vector<SampleText>& samples,
                  const ReportFacts& facts = {});

/// The loss curve alone as SVG text: training loss (each step faint, smoothed strong) and held-out points.
struct CurvePoint {
  double step, loss;
};
std::string loss_curve_svg(const std::vector<CurvePoint>& training, const std::vector<CurvePoint>& heldout);

}  // namespace suiren::train
