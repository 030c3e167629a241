#include "suiren/text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "suiren/base/error.h"
#include "suiren/text/unicode.h"

namespace suiren::text {

namespace {

std::string pcre2_message(int code) {
  unsigned char buffer[256];
  const int size = pcre2_get_error_message(code, buffer, sizeof buffer);
  return size < 0 ? fmt::format("PCRE2 error {}", code) : std::string(reinterpret_cast<char*>(buffer), size);
}

/// Stack for compiled patterns, one per thread: the default of 32 KiB is too small for long runs in groups.
pcre2_match_context* match_context() {
  struct Context {
    pcre2_match_context* context = pcre2_match_context_create(nullptr);
    pcre2_jit_stack* stack = pcre2_jit_stack_create(32 << 10, 64 << 20, nullptr);
    Context() { pcre2_jit_stack_assign(context, nullptr, stack); }
    ~Context() {
      pcre2_match_context_free(context);
      pcre2_jit_stack_free(stack);
    }
  };
  thread_local Context context;
  return context.context;
}

}  // namespace

Regex::Regex(const std::string& pattern) : pattern_(pattern) {
  int error = 0;
  PCRE2_SIZE offset = 0;
  pcre2_code* code = pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(),
                                   PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF, &error, &offset, nullptr);
  SR_CHECK(code != nullptr, "the split pattern '{}' is not a regular expression: {} at byte {}", pattern,
           pcre2_message(error), offset);
  code_ = std::shared_ptr<void>(code, [](void* c) { pcre2_code_free(static_cast<pcre2_code*>(c)); });
  pcre2_jit_compile(code, PCRE2_JIT_COMPLETE);  // without JIT pcre2_match interprets
}

void Regex::for_each_match(std::string_view text, FunctionRef<void(size_t begin, size_t end)> match) const {
  const auto* code = static_cast<const pcre2_code*>(code_.get());
  const std::unique_ptr<pcre2_match_data, void (*)(pcre2_match_data*)> data(
      pcre2_match_data_create_from_pattern(code, nullptr), pcre2_match_data_free);
  const auto* subject = reinterpret_cast<PCRE2_SPTR>(text.data());
  size_t from = 0, last_end = SIZE_MAX;
  while (from <= text.size()) {
    const int found = pcre2_match(code, subject, text.size(), from, 0, data.get(), match_context());
    if (found == PCRE2_ERROR_NOMATCH) return;
    SR_CHECK(found >= 0,
             "the split pattern '{}' failed at byte {} of the text: {}; write it with fewer repeated groups",
             pattern_, from, pcre2_message(found));
    const PCRE2_SIZE* range = pcre2_get_ovector_pointer(data.get());
    const size_t begin = range[0], end = std::max(range[0], range[1]);
    if (begin == end && begin == last_end) {
      if (from >= text.size()) return;
      from += read_char(text.data() + from, text.data() + text.size(), char_classes()).size;
      continue;
    }
    match(begin, end);
    from = last_end = end;
  }
}

}  // namespace suiren::text
