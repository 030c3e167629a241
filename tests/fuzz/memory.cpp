#include "tests/fuzz/memory.h"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace suiren::fuzz {
namespace {

std::atomic<int64_t> held{0}, peak{0};

void count(int64_t bytes) {
  const int64_t now = held.fetch_add(bytes, std::memory_order_relaxed) + bytes;
  if (now > peak.load(std::memory_order_relaxed)) peak.store(now, std::memory_order_relaxed);
}

}  // namespace

int64_t memory_held() { return held; }
int64_t memory_peak() { return peak; }
void reset_peak() { peak = held.load(); }

}  // namespace suiren::fuzz

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SUIREN_MALLOC_HOOKS
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SUIREN_MALLOC_HOOKS
#endif

#ifdef SUIREN_MALLOC_HOOKS

extern "C" int __sanitizer_install_malloc_and_free_hooks(void (*)(const volatile void*, size_t),
                                                         void (*)(const volatile void*));
extern "C" size_t __sanitizer_get_allocated_size(const volatile void*);

namespace {
// Only what was counted is given back: blocks from before the hooks were installed are large at most once.
const int installed = __sanitizer_install_malloc_and_free_hooks(
    [](const volatile void*, size_t size) { suiren::fuzz::count(static_cast<int64_t>(size)); },
    [](const volatile void* p) {
      if (p) suiren::fuzz::count(-static_cast<int64_t>(__sanitizer_get_allocated_size(p)));
    });
}  // namespace

#else

void* operator new(size_t size) {
  void* p = std::malloc(size);
  if (!p) throw std::bad_alloc();
  suiren::fuzz::count(static_cast<int64_t>(malloc_usable_size(p)));
  return p;
}
void operator delete(void* p) noexcept {
  if (p) suiren::fuzz::count(-static_cast<int64_t>(malloc_usable_size(p)));
  std::free(p);
}
void operator delete(void* p, size_t) noexcept { operator delete(p); }

#endif
