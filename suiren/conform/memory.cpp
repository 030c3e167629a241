// Memory: what is copied arrives, what is not named stays, what is freed comes back.

#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>

#include "suiren/base/cpu.h"
#include "suiren/base/philox.h"
#include "suiren/conform/chip.h"
#include "suiren/core/backend.h"

namespace suiren::conform {
namespace {

constexpr uint64_t kMiB = 1 << 20;

std::string alignment(const Probe& p) {
  Chip c(p.target);
  const uint64_t a = c.info.alignment;
  require(a > 0 && (a & (a - 1)) == 0, "alignment is {}, expected a power of two", a);
  if (!c.info.host_addressable)
    return fmt::format("{} bytes declared; addresses cannot be seen from the host", a);
  std::vector<Memory> held;
  for (const uint64_t bytes : {0, 1, 3, 63, 64, 100, 4097, 1 << 20, 3 << 20})
    for (int i = 0; i < 4; ++i) {
      held.emplace_back(c, bytes);
      const auto at = reinterpret_cast<uintptr_t>(c.table.memory_pointer(held.back().handle()));
      require(at % a == 0, "an allocation of {} bytes lies at {:#x}, not at a multiple of {}", bytes, at, a);
    }
  return fmt::format("{} allocations at multiples of {}", held.size(), a);
}

// Random copies in all directions beside the same copies on the host.
std::string odd_copies(const Probe& p) {
  Chip c(p.target);
  constexpr size_t kSize = 100003;
  Bytes a = pattern(kSize, 1), b = pattern(kSize, 2);
  Memory ma = c.with(a), mb = c.with(b);
  auto number = [n = uint64_t{0}](uint64_t below) mutable {
    return static_cast<uint64_t>(philox_uniform(5, 1, n++) * static_cast<double>(below));
  };
  for (int i = 0; i < 400; ++i) {
    const uint64_t bytes = i % 2 ? number(100) : number(kSize), from = number(kSize - bytes + 1),
                   to = number(kSize - bytes + 1);
    if (i % 3 == 0) {
      const Bytes fresh = pattern(bytes, 100 + static_cast<uint64_t>(i));
      c.upload(c.stream, ma, to, fresh);
      std::copy(fresh.begin(), fresh.end(), a.begin() + static_cast<int64_t>(to));
    } else if (i % 3 == 1) {
      c.move(c.stream, mb, to, ma, from, bytes);
      std::memcpy(b.data() + to, a.data() + from, bytes);
    } else {
      const Bytes got = c.download(c.stream, mb, from, bytes);
      require(std::equal(got.begin(), got.end(), b.begin() + static_cast<int64_t>(from)),
              "{} bytes from offset {} came back changed", bytes, from);
    }
  }
  require(c.download(ma) == a && c.download(mb) == b, "bytes differ after 400 copies at odd places");
  return "400 copies at odd offsets, of odd sizes, in three directions";
}

std::string zero_bytes(const Probe& p) {
  Chip c(p.target);
  const Bytes bytes = pattern(4096, 3);
  Memory m = c.with(bytes), empty(c, 0), other(c, 0);
  require(empty.handle() != other.handle(), "two allocations of 0 bytes have one handle");
  for (const uint64_t at : {0, 1, 4096}) {
    p.tick("copying zero bytes");
    c.upload(c.stream, m, at, {});
    c.download(c.stream, m, at, 0);
    c.move(c.stream, m, at, empty, 0, 0);
    c.move(c.stream, empty, 0, m, at, 0);
  }
  c.upload(empty, {});
  require(c.download(m) == bytes, "copies of zero bytes changed something");
  return "allocations and copies of nothing";
}

std::string bounds(const Probe& p) {
  Chip c(p.target);
  const Bytes bytes = pattern(4096, 4);
  Memory m = c.with(bytes), n = c.with(bytes);
  Bytes host(8192);
  const auto refused = [&](const char* what, sr_status status) {
    if (status == SR_OK) status = c.table.stream_sync(c.stream);  // it may be found out late
    require(status != SR_OK, "{} past the end of an allocation was accepted", what);
    require(c.error().size() > 8, "last_error says '{}' of a copy past the end", c.error());
  };
  for (const uint64_t at : {uint64_t{1} << 40, ~uint64_t{0} - 16}) {
    p.tick(fmt::format("a copy at offset {:#x} of an allocation of 4096 bytes", at));
    refused("a copy to the chip",
            c.table.copy(c.stream, m.handle(), at, nullptr, nullptr, 0, host.data(), 64));
    refused("a copy to the host",
            c.table.copy(c.stream, nullptr, 0, host.data(), m.handle(), at, nullptr, 64));
    refused("a copy on the chip",
            c.table.copy(c.stream, m.handle(), 0, nullptr, n.handle(), at, nullptr, 64));
    refused("a copy on the chip",
            c.table.copy(c.stream, m.handle(), at, nullptr, n.handle(), 0, nullptr, 64));
  }
  c.sync();
  require(c.download(m) == bytes && c.download(n) == bytes, "a refused copy changed bytes");
  return "refused with a sentence; the stream goes on";
}

std::string overlap(const Probe& p) {
  Chip c(p.target);
  Bytes want = pattern(100000, 6);
  Memory m = c.with(want);
  bool refused = false;
  for (const auto& [to, from] : {std::pair<size_t, size_t>{7, 0}, {0, 13}, {1000, 1001}}) {
    const size_t bytes = 90001;
    sr_status status = c.table.copy(c.stream, m.handle(), to, nullptr, m.handle(), from, nullptr, bytes);
    if (status == SR_OK) status = c.table.stream_sync(c.stream);
    refused = status != SR_OK;
    require(!refused || c.error().size() > 8, "an overlapping copy was refused without a sentence");
    if (!refused) std::memmove(want.data() + to, want.data() + from, bytes);
    require(c.download(m) == want,
            "a copy from {} to {} of one allocation gave neither the moved bytes nor an "
            "error",
            from, to);
  }
  return refused ? "overlapping ranges are refused" : "overlapping ranges arrive as if moved at once";
}

std::string red_zones(const Probe& p) {
  Chip c(p.target);
  std::vector<Memory> held;
  std::vector<Bytes> want;
  const size_t sizes[] = {1, 3, 64, 100, 256, 1000, 4095, 4096, 5000, 65537};
  for (size_t i = 0; i < 120; ++i) {
    want.push_back(pattern(sizes[i % std::size(sizes)], i));
    held.push_back(c.with(want.back()));
  }
  const auto compare = [&](const char* after) {
    for (size_t i = 0; i < held.size(); ++i)
      require(c.download(held[i]) == want[i], "after {}, allocation {} of {} bytes holds other bytes", after,
              i, want[i].size());
  };
  compare("filling its neighbours");
  for (size_t i = 0; i < held.size(); i += 3) {
    want[i] = pattern(want[i].size(), 1000 + i);
    c.upload(held[i], want[i]);
  }
  compare("writing every third");
  for (size_t i = 1; i + 10 < held.size(); i += 10) {  // the same sizes lie ten apart
    c.move(c.stream, held[i], 0, held[i + 10], 0, want[i].size());
    want[i] = want[i + 10];
  }
  compare("copying between some");
  for (size_t i = 0; i < held.size(); i += 2) {
    held[i].free();
    held[i] = c.with(want[i] = pattern(want[i].size(), 2000 + i));
  }
  compare("freeing and allocating every second");
  return "120 neighbouring allocations keep their bytes";
}

std::string large(const Probe& p) {
  Chip c(p.target);
  constexpr uint64_t kBytes = (uint64_t{4} << 30) + 3 * kMiB, kFar = (uint64_t{4} << 30) + 12345;
  if (memory_available() < (int64_t{10} << 30))
    skip("this machine has {:.1f} GiB free, the check wants 10",
         static_cast<double>(memory_available()) / (1 << 30));
  if (c.info.memory_total && c.info.memory_total < kBytes + 64 * kMiB)
    skip("the chip has {:.1f} GiB", static_cast<double>(c.info.memory_total) / (1 << 30));
  p.tick("allocating more than 4 GiB");
  Memory m(c, kBytes);
  const Bytes low = pattern(99999, 1), high = pattern(99999, 2);
  c.upload(c.stream, m, 12345, low);
  c.upload(c.stream, m, kFar, high);
  require(c.download(c.stream, m, 12345, low.size()) == low,
          "a copy to an offset over 4 GiB landed 4 GiB lower");
  require(c.download(c.stream, m, kFar, high.size()) == high, "bytes at an offset over 4 GiB differ");
  return "an allocation over 4 GiB, copies at its far end";
}

void expect_exhausted(const Chip& c, sr_status status, sr_memory m, uint64_t bytes) {
  require(status != SR_OK, "mem_alloc of {} bytes returned SR_OK{}", bytes, m ? "" : " and a null handle");
  require(status == SR_ERROR_OUT_OF_MEMORY, "mem_alloc of {} bytes returned status {}, expected {}", bytes,
          status, SR_ERROR_OUT_OF_MEMORY);
  require(c.error().size() > 8, "last_error says '{}' when memory is out", c.error());
}

std::string exhaustion(const Probe& p) {
  Chip c(p.target);
  for (const uint64_t bytes : {uint64_t{1} << 60, ~uint64_t{0} - 100, ~uint64_t{0}}) {
    p.tick(fmt::format("mem_alloc of {:#x} bytes", bytes));
    sr_memory m = nullptr;
    const sr_status status = c.table.mem_alloc(c.device, bytes, &m);
    expect_exhausted(c, status, m, bytes);
  }
  require(c.download(c.with(pattern(1000, 1))) == pattern(1000, 1), "nothing works after memory was out");
  return "SR_ERROR_OUT_OF_MEMORY with a sentence, and the device goes on";
}

std::string memory_limit(const Probe& p) {
  constexpr uint64_t kLimit = 64 * kMiB, kPiece = 4 * kMiB;
  Chip c(p.target, kLimit);
  for (int round = 0; round < 20; ++round) {
    std::vector<Memory> held;
    for (;;) {
      sr_memory m = nullptr;
      const sr_status status = c.table.mem_alloc(c.device, kPiece, &m);
      if (status != SR_OK || !m) {
        expect_exhausted(c, status, m, kPiece);
        break;
      }
      c.table.mem_free(c.device, m);
      held.emplace_back(c, kPiece);
      if (held.size() > 4 * kLimit / kPiece) skip("this chip does not heed memory_limit");
    }
    require(held.size() * kPiece <= kLimit, "memory_limit is {} MiB, {} MiB were given", kLimit / kMiB,
            held.size() * kPiece / kMiB);
    require(held.size() * kPiece >= kLimit / 2,
            "with a limit of {} MiB only {} MiB can be had in round {}: memory does not come back",
            kLimit / kMiB, held.size() * kPiece / kMiB, round);
  }
  return "the limit is kept, and all of it comes back, 20 times";
}

uint64_t resident() {
  std::ifstream file("/proc/self/statm");
  uint64_t size = 0, pages = 0;
  file >> size >> pages;
  return pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

std::string leaks(const Probe& p) {
  Chip c(p.target);
  const auto grown = [&](const char* what, int times, uint64_t most, auto&& body) {
    for (int i = 0; i < times / 10; ++i) body();
    c.sync();
    const uint64_t before = resident();
    for (int i = 0; i < times; ++i) {
      if (i % 64 == 0) p.tick(what);
      body();
    }
    c.sync();
    const uint64_t after = resident();
    require(after < before + most, "{} {} times: the process grew by {:.1f} MiB", what, times,
            static_cast<double>(after - before) / kMiB);
  };
  const Bytes piece = pattern(kMiB, 1);
  grown("allocating, filling and freeing 1 MiB", 300, 64 * kMiB, [&] { c.with(piece); });
  grown("allocating and freeing 64 bytes", 50000, 4 * kMiB, [&] { Memory m(c, 64); });
  grown("creating and destroying a stream", 1000, 8 * kMiB, [&] {
    sr_stream s = nullptr;
    c.check(c.table.stream_create(c.device, &s), "stream_create");
    c.table.stream_destroy(s);
  });
  Memory from = c.with(piece), to(c, kMiB);
  grown("copying 1 MiB on the chip", 2000, 16 * kMiB, [&] { c.move(c.stream, to, 0, from, 0, kMiB); });
  return "memory, streams and copies come back";
}

// Freed while queued work still reads it: the interface promises that the work comes first.
std::string reuse(const Probe& p) {
  Chip c(p.target);
  const sr_stream other = c.new_stream();
  constexpr size_t kBytes = 2 * kMiB;
  const Bytes junk = pattern(kBytes, 99);
  for (uint64_t round = 0; round < 12; ++round) {
    p.tick("freeing what queued work reads");
    const Bytes want = pattern(kBytes, round);
    Memory ballast = c.with(junk), ballast2 = c.with(junk), to = c.with(junk), from = c.with(want);
    for (int i = 0; i < 20; ++i) c.move(c.stream, ballast2, 0, ballast, 0, kBytes);
    c.move(c.stream, to, 0, from, 0, kBytes);
    from.free();
    Memory fresh(c, kBytes);
    c.upload(other, fresh, 0, junk);
    require(
        c.download(to) == want,
        "memory was given away while a queued copy still read it (mem_free takes effect after queued work)");
  }
  return "mem_free takes effect after queued work";
}

}  // namespace

std::vector<Check> memory_checks() {
  return {{"alignment", "allocations are aligned as declared", "内存按声明对齐", alignment},
          {"odd_copies", "odd offsets, odd sizes, three directions", "奇数偏移与长度的复制", odd_copies},
          {"zero_bytes", "zero bytes", "零字节", zero_bytes},
          {"bounds", "copies past the end are refused", "越界复制被拒绝", bounds},
          {"overlap", "overlapping ranges", "重叠区间", overlap},
          {"red_zones", "neighbouring allocations stay untouched", "相邻内存不被改写", red_zones},
          {"large", "an allocation over 4 GiB", "超过 4 GiB 的内存", large, 5},
          {"exhaustion", "memory runs out with an error", "内存耗尽时报错", exhaustion},
          {"memory_limit", "memory_limit is kept, and comes back", "遵守内存上限并可归还", memory_limit},
          {"leaks", "nothing leaks", "没有泄漏", leaks},
          {"reuse", "freed memory waits for queued work", "释放等待排队的工作", reuse}};
}

}  // namespace suiren::conform
