// Streams: one after the other within a stream, waited for where the interface says so, errors once.

#include <atomic>
#include <cstring>
#include <thread>

#include "suiren/conform/call.h"
#include "suiren/conform/chip.h"

namespace suiren::conform {
namespace {

constexpr size_t kBytes = 1 << 20;

// Each copy needs the one before it: a rotation by one through a ring of buffers.
std::string order(const Probe& p) {
  Chip c(p.target);
  for (const size_t bytes : {size_t{64}, size_t{5000}, kBytes}) {
    std::vector<Bytes> want;
    std::vector<Memory> ring;
    for (uint64_t i = 0; i < 7; ++i) ring.push_back(c.with(want.emplace_back(pattern(bytes, i))));
    for (size_t hop = 0; hop < 100; ++hop) {
      const size_t from = hop * 3 % 7, to = (hop * 5 + 1) % 7;
      if (from == to) continue;
      const size_t at = hop * 11 % (bytes / 2);
      c.move(c.stream, ring[to], at, ring[from], bytes / 2 - at / 2, bytes / 2);
      std::memcpy(want[to].data() + at, want[from].data() + bytes / 2 - at / 2, bytes / 2);
    }
    for (size_t i = 0; i < ring.size(); ++i)
      require(c.download(ring[i]) == want[i],
              "100 dependent copies of {} bytes: buffer {} is not what their order gives", bytes / 2, i);
  }
  return "chains of 100 dependent copies, in order";
}

std::string waits(const Probe& p) {
  Chip c(p.target);
  Memory from = c.with(pattern(kBytes, 1)), to = c.with(pattern(kBytes, 2)), ballast(c, kBytes);
  for (uint64_t round = 0; round < 30; ++round) {
    const Bytes fresh = pattern(kBytes, 10 + round);
    c.upload(from, fresh);
    for (int i = 0; i < 30; ++i) c.move(c.stream, ballast, 0, from, 0, kBytes);
    c.move(c.stream, to, 0, from, 0, kBytes);
    require(c.download(to) == fresh, "a copy to the host did not wait for the copies queued before it");
  }
  return "a copy to the host waits for all before it, 30 times";
}

// The host's bytes may be touched as soon as copy returns.
std::string host_bytes(const Probe& p) {
  Chip c(p.target);
  Memory m(c, kBytes), other = c.with(pattern(kBytes, 2)), third(c, kBytes);
  for (uint64_t round = 0; round < 20; ++round) {
    Bytes bytes = pattern(kBytes, round);
    for (int i = 0; i < 4; ++i) c.move(c.stream, third, 0, other, 0, kBytes);
    c.upload(m, bytes);
    std::fill(bytes.begin(), bytes.end(), uint8_t{0xee});
    require(c.download(m) == pattern(kBytes, round), "the host's bytes were read after copy had returned");
  }
  return "the host's bytes are free when copy returns, 20 times";
}

std::string several(const Probe& p) {
  Chip c(p.target);
  std::vector<sr_stream> streams{c.stream, c.new_stream(), c.new_stream()};
  std::vector<Memory> a, b;
  for (uint64_t i = 0; i < streams.size(); ++i)
    a.push_back(c.with(pattern(kBytes, i))), b.emplace_back(c, kBytes);
  for (int round = 0; round < 20; ++round)
    for (size_t i = 0; i < streams.size(); ++i) {
      c.move(streams[i], b[i], 0, a[i], 0, kBytes);
      c.move(streams[i], a[i], 1, b[i], 0, kBytes - 1);
    }
  for (size_t i = 0; i < streams.size(); ++i) {
    c.check(c.table.stream_sync(streams[i]), "stream_sync");
    Bytes want = pattern(kBytes, i);
    for (int round = 0; round < 20; ++round) std::memmove(want.data() + 1, want.data(), kBytes - 1);
    require(c.download(streams[i], a[i], 0, kBytes) == want, "stream {} of 3 mixed with another", i);
  }
  return "three streams side by side";
}

// Something wrong that a chip can find only while it works: an index beyond the table, in an op that it runs.
struct Wrong {
  std::string what;
  std::unique_ptr<Call> call;
};
Wrong wrong_call(Chip& c) {
  const NoAttrs none;
  const Tensor weight = Tensor::from(std::vector<float>(12, 1.0f), {4, 3});
  for (const char* name : {"gather", "index_select"}) {
    const OpInfo& op = find_op(name);
    const std::vector<AttrValue> axis{{AttrValue::kInt, "axis"}};
    const auto attrs = op.attribute_count == 1 ? op.make_attrs(axis) : op.copy_attrs(&none);
    const Shape shape = std::string_view(name) == "gather" ? Shape{1, 3} : Shape{3};
    const Tensor ids = Tensor::from(std::vector<int64_t>{1, 1 << 30, 2}, shape);
    auto call = std::make_unique<Call>(c, op, attrs.get(), Tensors{weight, ids});
    if (call->answer().level == SR_SUPPORT_NATIVE) return {name, std::move(call)};
  }
  return {};
}

std::string late_errors(const Probe& p) {
  Chip c(p.target);
  const Bytes bytes = pattern(1000, 1);
  Memory m = c.with(bytes), n(c, 1000);
  const auto once = [&](const std::string& what, sr_status status) {
    const bool early = status != SR_OK;
    if (!early) status = c.table.stream_sync(c.stream);
    require(status != SR_OK, "{} was never reported: not by its call, not by stream_sync", what);
    require(c.error().size() > 8, "{} was reported with status {} and no sentence", what, status);
    const sr_status again = c.table.stream_sync(c.stream);
    require(again == SR_OK, "{} was reported again by the next stream_sync: {}", what, c.error());
    c.move(c.stream, n, 0, m, 0, 1000);
    require(c.download(n) == bytes, "the stream does not go on after {}", what);
    return early;
  };
  bool early = once("a copy past the end", c.table.copy(c.stream, n.handle(), uint64_t{1} << 40, nullptr,
                                                        m.handle(), 0, nullptr, 8));
  Wrong wrong = wrong_call(c);
  if (!wrong.call)
    return fmt::format("reported once, {}; no native op reads indices", early ? "at once" : "late");
  p.tick(wrong.what + " with an index out of range");
  sr_status status = SR_OK;
  try {
    wrong.call->run();
  } catch (const Failed&) {
    status = SR_ERROR_INVALID;
  }
  early = once(wrong.what + " with an index out of range", status);
  return fmt::format("reported once with a sentence, {}; the stream goes on", early ? "at once" : "late");
}

// `rounds` of upload, queued copies and download; counts the rounds that gave wrong bytes.
int work(Chip& c, sr_stream stream, uint64_t seed, int rounds) {
  int wrong = 0;
  Memory a(c, 4099), b(c, 4099);
  for (int i = 0; i < rounds; ++i) {
    const Bytes want = pattern(4099, seed * 1000 + static_cast<uint64_t>(i));
    c.upload(stream, a, 0, want);
    c.move(stream, b, 0, a, 0, want.size());
    wrong += c.download(stream, b, 0, want.size()) != want;
  }
  return wrong;
}

std::string threads_of(Chip& c, const std::vector<sr_stream>& streams, int rounds) {
  std::atomic<int> wrong{0};
  std::atomic<bool> failed{false};
  std::vector<std::thread> threads;
  std::vector<std::string> why(streams.size());
  for (size_t i = 0; i < streams.size(); ++i)
    threads.emplace_back([&, i] {
      try {
        wrong += work(c, streams[i], i, rounds);
      } catch (const Failed& f) {
        why[i] = f.why, failed = true;
      }
    });
  for (std::thread& t : threads) t.join();
  for (const std::string& w : why) require(w.empty(), "{}", w);
  return wrong == 0 ? "" : fmt::format("{} of {} rounds gave wrong bytes", wrong.load(), 4 * rounds);
}

std::string threads(const Probe& p) {
  Chip c(p.target);
  const std::string apart =
      threads_of(c, {c.new_stream(), c.new_stream(), c.new_stream(), c.new_stream()}, 100);
  require(apart.empty(), "four threads with a stream each: {}", apart);
  return "four threads with a stream each";
}

std::string shared_stream(const Probe& p) {
  Chip c(p.target);
  if (!c.info.concurrent_stream) skip("concurrent_stream is 0: the host takes turns");
  const std::string together = threads_of(c, {c.stream, c.stream, c.stream, c.stream}, 100);
  require(together.empty(), "four threads on one stream, as concurrent_stream declares: {}", together);
  return "four threads on one stream";
}

}  // namespace

std::vector<Check> stream_checks() {
  return {{"order", "queued work runs in order", "排队的工作按顺序执行", order},
          {"waits", "a copy to the host waits for what is queued", "向主机复制会等待", waits},
          {"host_bytes", "the host's bytes are free when copy returns", "复制返回后主机内存可用", host_bytes},
          {"several", "several streams side by side", "多条流并行", several},
          {"late_errors", "late errors surface once, with a sentence", "迟到的错误只报告一次", late_errors},
          {"threads", "several threads, a stream each", "多线程，各用一条流", threads},
          {"shared_stream", "several threads on one stream, when declared", "声明支持时多线程共用一条流",
           shared_stream}};
}

}  // namespace suiren::conform
