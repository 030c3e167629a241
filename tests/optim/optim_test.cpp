#include "suiren/optim/optim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <nlohmann/json.hpp>

#include "suiren/base/file.h"
#include "suiren/optim/clip.h"
#include "suiren/optim/schedule.h"

namespace suiren::optim {
namespace {

using Json = nlohmann::json;

const Json& golden() {
  static const Json json = Json::parse(read_file("tests/golden/optim/optim.json"));
  return json;
}

// One tensor for each name, of values that tests/golden/optim/make_optim.py wrote.
std::vector<std::pair<std::string, Tensor>> tensors(const Json& values, DType dtype) {
  std::vector<std::pair<std::string, Tensor>> all;
  for (const char* name : {"wide.weight", "tall.weight", "norm.weight"}) {
    const Shape shape(golden()["shapes"][name].get<std::vector<int64_t>>());
    const auto x = values[name].get<std::vector<double>>();
    all.emplace_back(name, dtype == kF64 ? Tensor::from(x, shape)
                                         : Tensor::from(std::vector<float>(x.begin(), x.end()), shape));
  }
  return all;
}

struct Problem {
  explicit Problem(DType t) : dtype(t), parameters(tensors(golden()["start"], t)) {
    for (auto& [name, tensor] : parameters) tensor.set_requires_grad();
  }
  NamedParameters named() {
    NamedParameters all;
    for (auto& [name, tensor] : parameters) all.emplace_back(name, &tensor);
    return all;
  }
  void step(Optimizer& o, size_t s) const {
    Tensors grads;
    for (const auto& [name, tensor] : tensors(golden()["grads"][s], dtype)) grads.push_back(tensor);
    o.step(grads, golden()["lrs"][s].get<double>());
  }
  DType dtype;
  std::vector<std::pair<std::string, Tensor>> parameters;
};

using Make = std::function<std::unique_ptr<Optimizer>(NamedParameters)>;
const AdamWOptions kAdamW{0.9, 0.95, 1e-8, 0.1};
const std::vector<std::pair<std::string, Make>> kCases = {
    {"adamw", [](NamedParameters p) { return adamw(std::move(p), kAdamW); }},
    {"muon",
     [](NamedParameters p) {
       return muon(std::move(p), {0.95, true, 0.1, kAdamW});
     }},
    {"sgd",
     [](NamedParameters p) {
       return sgd(std::move(p), {0, 0.01, false});
     }},
    {"momentum",
     [](NamedParameters p) {
       return sgd(std::move(p), {0.9, 0.01, false});
     }},
    {"nesterov",
     [](NamedParameters p) {
       return sgd(std::move(p), {0.9, 0.01, true});
     }},
};

std::string message(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Optim, StepsAreTorchs) {
  for (const DType dtype : {kF64, kF32})
    for (const auto& [name, make] : kCases) {
      Problem p(dtype);
      const auto o = make(p.named());
      for (size_t s = 0; s < golden()["grads"].size(); ++s) {
        p.step(*o, s);
        for (const auto& [parameter, tensor] : p.parameters) {
          const auto want = golden()[name][s][parameter].get<std::vector<double>>();
          const HostArray got = to_host_array(tensor);
          for (size_t i = 0; i < want.size(); ++i)
            EXPECT_NEAR(static_cast<double>(got.v[i]), want[i], dtype == kF64 ? 1e-13 : 2e-6)
                << name << " " << dtype << " step " << s << " " << parameter << "[" << i << "]";
        }
      }
      EXPECT_EQ(o->steps(), 6);
    }
}

TEST(Optim, GradScaleMultipliesTheGradient) {
  for (const auto& [name, make] : kCases) {
    Problem a(kF64), b(kF64);
    const auto oa = make(a.named()), ob = make(b.named());
    Tensors grads, halves;
    for (const auto& [n, t] : tensors(golden()["grads"][0], kF64)) {
      grads.push_back(t);
      auto x = t.to_vector<double>();
      for (double& v : x) v *= 0.5;
      halves.push_back(Tensor::from(x, t.shape()));
    }
    oa->step(grads, 1e-3, 0.5);
    ob->step(halves, 1e-3);
    for (size_t i = 0; i < a.parameters.size(); ++i)
      EXPECT_EQ(a.parameters[i].second.to_bytes(), b.parameters[i].second.to_bytes()) << name;
  }
}

TEST(Optim, AStateResumesBitwise) {
  for (const auto& [name, make] : kCases) {
    Problem whole(kF32), cut(kF32);
    const auto a = make(whole.named());
    const auto b = make(cut.named());
    for (size_t s = 0; s < 3; ++s) whole.step(*a, s), cut.step(*b, s);
    NamedTensors saved;
    for (const auto& [key, tensor] : b->state_dict())
      saved.emplace_back(key, Tensor::from_bytes(tensor.to_bytes(), tensor.shape(), tensor.dtype()));
    const auto resumed = make(cut.named());
    resumed->load_state_dict(saved, b->steps());
    for (size_t s = 3; s < 6; ++s) whole.step(*a, s), cut.step(*resumed, s);
    for (size_t i = 0; i < whole.parameters.size(); ++i)
      EXPECT_EQ(whole.parameters[i].second.to_bytes(), cut.parameters[i].second.to_bytes()) << name;
  }
}

TEST(Optim, AWrongStateIsNamed) {
  Problem p(kF32);
  const auto o = adamw(p.named(), kAdamW);
  NamedTensors state = o->state_dict();
  EXPECT_EQ(state[0].first, "exp_avg.wide.weight");
  const auto first = state.front();
  state.erase(state.begin());
  EXPECT_EQ(message([&] { o->load_state_dict(state, 1); }),
            "the optimizer's state lacks exp_avg.wide.weight");
  state.emplace_back(first.first, Tensor::zeros({kF32, {2}, Device()}));
  EXPECT_EQ(message([&] { o->load_state_dict(state, 1); }),
            "the optimizer's state exp_avg.wide.weight is f32 [2], expected f32 [3, 5]");
  state.back() = first;
  state.emplace_back("momentum.x", first.second);
  EXPECT_EQ(message([&] { o->load_state_dict(state, 1); }),
            "the optimizer's state holds momentum.x, which this optimizer does not have");
  EXPECT_EQ(o->steps(), 0);
  const Tensors one{first.second};
  EXPECT_EQ(message([&] { o->step(one, 1); }), "1 gradients for 3 parameters");
}

TEST(Optim, MuonTakesHiddenMatrices) {
  const Tensor matrix = Tensor::zeros({kF32, {2, 2}, Device()}),
               vector = Tensor::zeros({kF32, {2}, Device()});
  EXPECT_TRUE(muon_applies("model.layers.0.mlp.up_proj.weight", matrix));
  EXPECT_FALSE(muon_applies("model.embed_tokens.weight", matrix));
  EXPECT_FALSE(muon_applies("lm_head.weight", matrix));
  EXPECT_FALSE(muon_applies("model.norm.weight", vector));
}

TEST(Optim, NewtonSchulzLeavesSingularValuesNearOne) {
  // diag(1, 0.5, 0.2) padded to [3, 4]: the iteration acts on each singular value alone.
  std::vector<double> x(12);
  const double s[] = {1, 0.5, 0.2};
  for (size_t i = 0; i < 3; ++i) x[i * 4 + i] = s[i];
  const auto y = newton_schulz(Tensor::from(x, {3, 4})).to_vector<double>();
  for (size_t i = 0; i < 3; ++i)
    for (size_t j = 0; j < 4; ++j) {
      if (i == j)
        EXPECT_NEAR(y[i * 4 + j], 1, 0.35);
      else
        EXPECT_NEAR(y[i * 4 + j], 0, 1e-12);
    }
}

TEST(Schedule, Cosine) {
  const Schedule s{Schedule::kCosine, 3e-3, 20, 4, 0, 0.1};
  EXPECT_DOUBLE_EQ(s.at(0), 3e-3 / 4);
  EXPECT_DOUBLE_EQ(s.at(3), 3e-3);
  EXPECT_DOUBLE_EQ(s.at(4), 3e-3);
  EXPECT_DOUBLE_EQ(s.at(12), 3e-3 * (0.1 + 0.9 * 0.5));
  EXPECT_NEAR(s.at(20), 3e-4, 1e-18);
  const Json trace = Json::parse(read_file("tests/golden/training/trace.json"));
  for (const Json& row : trace["float64"])
    EXPECT_EQ(s.at(row["step"].get<int64_t>()), row["lr"].get<double>()) << row["step"];
}

TEST(Schedule, WarmupStableDecay) {
  const Schedule s{Schedule::kWsd, 1, 100, 10, 20, 0.5};
  EXPECT_DOUBLE_EQ(s.at(4), 0.5);
  for (const int64_t step : {10, 50, 79, 80}) EXPECT_DOUBLE_EQ(s.at(step), 1);
  EXPECT_DOUBLE_EQ(s.at(90), 0.75);
  EXPECT_DOUBLE_EQ(s.at(99), 1 - 0.5 * 19 / 20);
  const Schedule c{Schedule::kConstant, 2, 100, 10};
  EXPECT_DOUBLE_EQ(c.at(0), 0.2);
  EXPECT_DOUBLE_EQ(c.at(99), 2);
}

TEST(Schedule, RefusesWhatCannotBe) {
  EXPECT_EQ(message([] { Schedule::parse("cosin"); }), "unknown schedule 'cosin'; did you mean 'cosine'?");
  EXPECT_EQ(Schedule::parse("wsd"), Schedule::kWsd);
  EXPECT_EQ(message([] { Schedule{Schedule::kWsd, 1, 100, 10, 95, 0}.validate(); }),
            "decay_steps is 95: with 10 warm-up steps it does not fit a run of 100 steps");
  EXPECT_EQ(message([] {
              Schedule{Schedule::kCosine, 1, 100, 101}.validate();
            }),
            "warmup_steps is 101, longer than the run of 100 steps");
  EXPECT_EQ(message([] { Schedule{Schedule::kCosine, 1, 100, 1, 0, 2}.validate(); }),
            "final_ratio is 2, expected 0 to 1");
}

TEST(Clip, NormOverAllAndCoefficient) {
  const Tensor a = Tensor::from(std::vector<float>{3, 0, 0, 4}, {2, 2});
  const Tensor b = Tensor::from(std::vector<float>{12}, {1});
  const Tensors grads{a, b};
  EXPECT_DOUBLE_EQ(global_norm(grads), 13);
  EXPECT_DOUBLE_EQ(clip_coefficient(13, 1), 1 / (13 + 1e-6));
  EXPECT_DOUBLE_EQ(clip_coefficient(0.5, 1), 1);
  EXPECT_DOUBLE_EQ(clip_coefficient(13, 0), 1);
  const Tensors bad{Tensor::from(std::vector<float>{1, NAN}, {2})};
  EXPECT_TRUE(std::isnan(global_norm(bad)));
}

}  // namespace
}  // namespace suiren::optim
