// suiren doctor: what this machine is and can do.

#include <filesystem>
#include <nlohmann/json.hpp>

#include "backends/cpu/roof.h"
#include "cli/command.h"
#include "suiren/base/cpu.h"
#include "suiren/base/threads.h"
#include "suiren/core/backend.h"
#include "suiren/train/progress.h"

namespace suiren::cli {
namespace {

using Json = nlohmann::json;

struct Finding {
  std::string what, remedy;
};

bool on_path(const std::string& program) {
  std::string path = std::getenv("PATH") ? std::getenv("PATH") : "";
  for (size_t begin = 0; begin < path.size();) {
    const size_t colon = std::min(path.find(':', begin), path.size());
    if (std::filesystem::exists(path.substr(begin, colon - begin) + "/" + program)) return true;
    begin = colon + 1;
  }
  return false;
}

std::vector<Finding> missing(double int8_peak, double bf16_peak) {
  std::vector<Finding> list;
  if (isa() == Isa::kPortable)
    list.push_back({"no AVX2: products run on portable SIMD, several times slower",
                    "a CPU of 2013 or later; nothing to install"});
  if (bf16_peak == 0)
    list.push_back({"no bf16 unit (AVX512-BF16 or AMX)", "float32 is the right precision here"});
  if (int8_peak == 0) list.push_back({"no int8 unit (VNNI or AMX)", "nothing to install"});
  if (!on_path("npm"))
    list.push_back({"npm is absent: quickstart fetches its poems with it",
                    "apt-get install npm, or suiren quickstart --text FILE"});
  if (thread_count() > available_cpus()) list.push_back({"more threads than CPUs", "lower --threads"});
  return list;
}

// Plug-ins that lie where the host looks for them are loaded too; one that cannot be is a finding.
void load_plugins(std::vector<Finding>& findings) {
  for (const std::string& folder : plugin_folders()) {
    std::error_code none;
    for (const auto& file : std::filesystem::directory_iterator(folder, none))
      if (const std::string name = file.path().filename();
          name.starts_with("libsuiren_") && name.ends_with(".so")) {
        try {
          find_backend(file.path());
        } catch (const Error& e) {
          findings.push_back({e.message(), "remove it, or build it for this version"});
        }
      }
  }
}

// What is known of a device; a figure that a chip does not give is absent.
Json device_json(const sr_backend& b, const Device& d) {
  const sr_device_info& info = d.context().info();
  Json j{{"name", d.name()}, {"description", info.name}, {"plugin_version", b.version ? b.version : ""}};
  if (info.memory_total > 0) j["memory_bytes"] = info.memory_total;
  if (info.bandwidth > 0) j["bandwidth_bytes_per_s"] = info.bandwidth;
  for (int i = 0; i < DType::kCount; ++i)
    if (info.peak_flops[i] > 0) j["peak_flops"][DType(static_cast<DType::Id>(i)).name()] = info.peak_flops[i];
  return j;
}

Json devices(std::vector<Finding>& findings) {
  Json list = Json::array();
  for (const sr_backend* b : all_backends())
    for (uint32_t i = 0; i < b->device_count(); ++i) {
      try {
        list.push_back(device_json(*b, Device(std::string(b->kind) + ":" + std::to_string(i))));
      } catch (const Error& e) {
        findings.push_back({e.message(), "see the maker of that chip"});
      }
    }
  return list;
}

std::string device_line(const Json& d) {
  std::string text =
      fmt::format("device     {} · {}", d["name"].get<std::string>(), d["description"].get<std::string>());
  if (d.contains("memory_bytes")) text += " · " + train::format_bytes(d["memory_bytes"].get<double>());
  if (d.contains("bandwidth_bytes_per_s"))
    text += fmt::format(" · {:.1f} GB/s", d["bandwidth_bytes_per_s"].get<double>() / 1e9);
  if (d.contains("peak_flops"))
    for (const auto& [dtype, peak] : d["peak_flops"].items())
      text += fmt::format(" · {} {:.0f} GFLOP/s", dtype, peak.get<double>() / 1e9);
  return text;
}

void doctor(const Globals& g) {
  const CpuInfo& cpu = cpu_info();
  const double f32 = cpu::measure_fma_peak_f32(), bf16 = cpu::measure_bf16_peak(),
               int8 = cpu::measure_int8_peak(), dram = cpu::measure_dram_read();
  auto findings = missing(int8, bf16);
  load_plugins(findings);
  const Json known_devices = devices(findings);
  if (g.json) {
    Json j{{"version", SUIREN_VERSION},
           {"cpu", cpu.model},
           {"cpus", cpu.cpus},
           {"threads", thread_count()},
           {"isa", isa_name(isa())},
           {"features", cpu.features},
           {"memory_bytes", cpu.memory_total},
           {"memory_available_bytes", memory_available()},
           {"roofs",
            {{"f32_gflops", f32}, {"bf16_gflops", bf16}, {"int8_gops", int8}, {"dram_read_gb_per_s", dram}}},
           {"devices", known_devices},
           {"missing", Json::array()}};
    for (const Finding& f : findings) j["missing"].push_back({{"what", f.what}, {"remedy", f.remedy}});
    fmt::print("{}\n", j.dump(2));
    return;
  }
  fmt::print("suiren {}\n", SUIREN_VERSION);
  fmt::print("CPU        {} · {} CPUs, {} threads · kernels for {}\n", cpu.model, cpu.cpus, thread_count(),
             isa_name(isa()));
  fmt::print("features   {}\n", fmt::join(cpu.features, " "));
  fmt::print("memory     {} · {} free\n", train::format_bytes(static_cast<double>(cpu.memory_total)),
             train::format_bytes(static_cast<double>(memory_available())));
  const auto unit = [](double v) { return v > 0 ? fmt::format("{:.0f} G/s", v) : std::string("none"); };
  fmt::print(
      "roofs      f32 FMA {:.0f} GFLOP/s · bf16 {} · int8 {} · DRAM read {:.1f} GB/s   (measured now)\n", f32,
      unit(bf16), unit(int8), dram);
  for (const Json& d : known_devices) fmt::print("{}\n", device_line(d));
  for (const Finding& f : findings) fmt::print("missing    {} -> {}\n", f.what, f.remedy);
}

}  // namespace

void add_doctor(CLI::App& app, Globals& g) {
  CLI::App* c =
      add_command(app, "doctor", "the machine, its roofs (measured), devices, and what is missing",
                  "  suiren doctor\n  suiren doctor --json\n  SUIREN_PLUGINS=./my_chip.so suiren doctor");
  c->callback([&g] { g.run = [&g] { doctor(g); }; });
}

}  // namespace suiren::cli
