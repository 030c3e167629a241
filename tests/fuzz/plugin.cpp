// The table that a plug-in hands to the host: of any size, with any of its functions absent.

#include <cstring>
#include <memory>

#include "suiren/base/error.h"
#include "suiren/core/backend.h"
#include "tests/fuzz/target.h"

namespace suiren::fuzz {
namespace {

constexpr size_t kSlots = (sizeof(sr_backend) - offsetof(sr_backend, kind)) / sizeof(void*);

// struct_size (u16), abi_minor (u16), a bit for each pointer of the table that is present, the chip's kind.
void parse(Bytes bytes) {
  if (bytes.size() < 8) return;
  uint16_t size = 0, minor = 0;
  uint32_t present = 0;
  std::memcpy(&size, bytes.data(), 2);
  std::memcpy(&minor, bytes.data() + 2, 2);
  std::memcpy(&present, bytes.data() + 4, 4);
  const std::string rest(text_of(bytes.subspan(8))), kind = rest.c_str();  // a chip's kind ends at a NUL

  sr_backend full{};
  full.struct_size = size;
  full.abi_minor = minor;
  for (size_t slot = 0; slot < kSlots; ++slot) {
    const void* pointer = present >> slot & 1 ? kind.c_str() : nullptr;
    std::memcpy(reinterpret_cast<uint8_t*>(&full) + offsetof(sr_backend, kind) + slot * sizeof(void*),
                &pointer, sizeof pointer);
  }
  // Exactly as many bytes as the chip says, so that reading beyond them is found.
  const size_t allocated = std::max<size_t>(size, sizeof full.struct_size);
  const auto table = std::make_unique<uint64_t[]>((allocated + 7) / 8);
  std::memcpy(table.get(), &full, std::min(allocated, sizeof full));

  const sr_backend complete = complete_table(reinterpret_cast<const sr_backend*>(table.get()), "input");
  if (!complete.op_run || !complete.kind || complete.kind != kind) broken("a table lacks what it must have");
  if (size < offsetof(sr_backend, kernel_at) + sizeof complete.kernel_at && complete.kernel_at)
    broken("a function beyond struct_size was taken");
}

const Target target("plugin", parse);

}  // namespace
}  // namespace suiren::fuzz
