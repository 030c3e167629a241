// Any op by name, for a program in another language: torch_ops.py and bench/ops.py drive it over a pipe.
//
// A request is one line of JSON and then raw little-endian bytes. A case:
//   {"op", "attrs": {field: value},
//    "inputs": [{"dtype", "shape", "strides", "offset", "elements"}],   bytes: each storage of `elements`
//    "wants": [bool],                                     inputs whose gradients are asked for
//    "grads": [{"dtype", "shape"} or null]}               one an output; bytes: row-major
// is answered by {"outputs": [{"dtype", "shape"}], "grads": [...]} and their row-major bytes (inputs that the
// op wrote into stand before its outputs), or by {"error": message}. Then
//   {"seconds", "backward"}
// times the last case again: {"microseconds": that of the fastest round, "rounds"}; {"ops"} asks for all
// names.

#include <sched.h>

#include <algorithm>
#include <chrono>
#include <functional>
#include <iostream>

#include "suiren/base/threads.h"
#include "suiren/core/autograd.h"
#include "suiren/core/dispatch.h"
#include "suiren/io/json.h"
#include "tests/ops/attributes.h"

namespace {

using namespace suiren;
using io::Json;
using Clock = std::chrono::steady_clock;

struct Case {
  const OpInfo* op = nullptr;
  std::shared_ptr<const void> attrs;
  Tensors inputs, wanted;
  std::vector<size_t> live;  // outputs that a gradient flows into, and it
  Tensors grads;
};

DType dtype_of_json(const Json& t) { return *DType::parse(t.at("dtype").get<std::string>()); }

/// `count` elements in a row, from the pipe.
Tensor read_row(DType dtype, int64_t count) {
  std::vector<uint8_t> bytes(static_cast<size_t>(count * dtype.size()));
  std::cin.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  SR_CHECK(std::cin, "the request ends within its bytes");
  return Tensor::from_bytes(bytes, {count}, dtype);
}

/// Everything is read before anything is judged, so that an error leaves the pipe at the next request.
Case read_case(const Json& request) {
  Case c;
  for (const Json& t : request.at("inputs")) {
    const Tensor row = read_row(dtype_of_json(t), t.at("elements"));
    c.inputs.push_back(row.alias(dims_of_json<Shape>(t.at("shape")), dims_of_json<Strides>(t.at("strides")),
                                 t.at("offset")));
  }
  for (size_t i = 0; i < request.at("grads").size(); ++i) {
    const Json& t = request["grads"][i];
    if (t.is_null()) continue;
    const auto shape = dims_of_json<Shape>(t.at("shape"));
    c.live.push_back(i);
    c.grads.push_back(read_row(dtype_of_json(t), shape.numel()).alias(shape, contiguous_strides(shape), 0));
  }
  c.op = &find_op(request.at("op"));
  c.attrs = attributes_of_json(*c.op, request.at("attrs"));
  for (size_t i = 0; i < c.inputs.size(); ++i)
    if (request.at("wants")[i]) c.wanted.push_back(c.inputs[i].set_requires_grad());
  return c;
}

Tensors gradients_of(const Case& c, const Tensors& outputs) {
  if (c.wanted.empty()) return {};
  Tensors live;
  for (const size_t i : c.live) live.push_back(outputs.at(i));
  return gradients(live, c.wanted, c.grads);
}

Json described(const Tensors& tensors) {
  Json list = Json::array();
  for (const Tensor& t : tensors)
    list.push_back(
        {{"dtype", t.dtype().name()}, {"shape", std::vector<int64_t>(t.shape().begin(), t.shape().end())}});
  return list;
}

void answer(const Json& head, const Tensors& first = {}, const Tensors& second = {}) {
  std::cout << head.dump() << '\n';
  for (const Tensors& list : {first, second})
    for (const Tensor& t : list) {
      const auto bytes = t.to_bytes();
      std::cout.write(reinterpret_cast<const char*>(bytes.data()),
                      static_cast<std::streamsize>(bytes.size()));
    }
  std::cout.flush();
}

void run(const Case& c) {
  const Tensors outputs = run_op(*c.op, c.attrs.get(), c.inputs), grads = gradients_of(c, outputs);
  Tensors results;
  for (size_t i = 0; i < c.inputs.size(); ++i)
    if (c.op->mutates_input(i)) results.push_back(c.inputs[i]);
  results.insert(results.end(), outputs.begin(), outputs.end());
  answer({{"outputs", described(results)}, {"grads", described(grads)}}, results, grads);
}

double seconds_of(int calls, const std::function<void()>& f) {
  const auto start = Clock::now();
  for (int i = 0; i < calls; ++i) f();
  return std::chrono::duration<double>(Clock::now() - start).count() / calls;
}

void time(const Case& c, double seconds, bool backward) {
  SR_CHECK(c.op, "nothing to time: no case has run");
  const auto call = [&] {
    const GradMode mode(backward);
    const Tensors outputs = run_op(*c.op, c.attrs.get(), c.inputs);
    if (backward) gradients_of(c, outputs);
  };
  const double first = seconds_of(1, call), again = std::min(first, seconds_of(1, call));
  const int calls = std::clamp(static_cast<int>(2e-4 / again), 1, 1000);
  std::vector<double> rounds;
  const auto begin = Clock::now();
  do rounds.push_back(seconds_of(calls, call));
  while (rounds.size() < 3 || std::chrono::duration<double>(Clock::now() - begin).count() < seconds);
  answer(
      {{"microseconds", *std::min_element(rounds.begin(), rounds.end()) * 1e6}, {"rounds", rounds.size()}});
}

/// Each thread on a core of its own, as those of the peer: the scheduler, left alone, at times puts two on
/// one while other work runs.
void bind_threads() {
  cpu_set_t all;
  SR_CHECK(sched_getaffinity(0, sizeof all, &all) == 0, "the cores of this process cannot be read");
  std::vector<size_t> cores;
  for (size_t i = 0; i < CPU_SETSIZE; ++i)
    if (CPU_ISSET(i, &all)) cores.push_back(i);
  parallel_region([&](int thread, int) {
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cores[static_cast<size_t>(thread) % cores.size()], &one);
    sched_setaffinity(0, sizeof one, &one);
  });
}

std::vector<std::string> names() {
  std::vector<std::string> list;
  for (const OpInfo* op : all_ops()) list.push_back(op->name);
  return list;
}

}  // namespace

int main(int argc, char** argv) {
  std::ios::sync_with_stdio(false);
  if (argc > 1) set_thread_count(std::atoi(argv[1]));
  bind_threads();
  Case last;
  for (std::string line; std::getline(std::cin, line);) {
    try {
      const Json request = io::parse_json(line, "request");
      if (request.contains("ops")) {
        answer({{"ops", names()}});
      } else if (request.contains("seconds")) {
        time(last, request["seconds"], request.at("backward"));
      } else {
        last = {};
        last = read_case(request);
        run(last);
      }
    } catch (const std::exception& e) {
      answer({{"error", e.what()}});
    }
  }
}
