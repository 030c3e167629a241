// Version 1 of the chip interface never moves: sizes and offsets as they were when it froze, the frozen
// header beside today's, C11 as well as C++, and a plug-in of that day in today's host.

#include <gtest/gtest.h>

#include <cstddef>
#include <string>
#include <vector>

#include "backends/abi/suiren_backend.h"
#include "suiren/base/file.h"
#include "suiren/core/dispatch.h"
#include "suiren/ops/arithmetic/arithmetic.h"
#include "suiren/ops/unary/unary.h"

namespace suiren {
namespace {

#define AT(type, field, offset) static_assert(offsetof(type, field) == offset)

AT(sr_host, struct_size, 0);
AT(sr_host, abi_minor, 4);
AT(sr_host, intern, 8);
AT(sr_host, log, 16);
static_assert(sizeof(sr_host) >= 24);

AT(sr_tensor, struct_size, 0);
AT(sr_tensor, role, 4);
AT(sr_tensor, dtype, 6);
AT(sr_tensor, rank, 8);
AT(sr_tensor, flags, 12);
AT(sr_tensor, dims, 16);
AT(sr_tensor, strides, 24);
AT(sr_tensor, memory, 32);
AT(sr_tensor, offset, 40);
AT(sr_tensor, version, 48);
AT(sr_tensor, block, 56);
static_assert(sizeof(sr_tensor) == 64);  // stands in arrays

AT(sr_attr, struct_size, 0);
AT(sr_attr, kind, 4);
AT(sr_attr, i64, 8);
AT(sr_attr, f64, 16);
AT(sr_attr, list, 24);
AT(sr_attr, list_size, 32);
static_assert(sizeof(sr_attr) == 40);  // stands in arrays

AT(sr_op, struct_size, 0);
AT(sr_op, op, 4);
AT(sr_op, version, 8);
AT(sr_op, tensor_count, 12);
AT(sr_op, tensors, 16);
AT(sr_op, attr_count, 24);
AT(sr_op, reserved, 28);
AT(sr_op, attrs, 32);
static_assert(sizeof(sr_op) >= 40);

AT(sr_support, struct_size, 0);
AT(sr_support, level, 4);
AT(sr_support, plan, 8);
AT(sr_support, workspace, 16);
AT(sr_support, accumulation, 24);
AT(sr_support, reserved, 28);
AT(sr_support, reason, 32);
static_assert(sizeof(sr_support) >= 40);

AT(sr_device_options, struct_size, 0);
AT(sr_device_options, threads, 4);
AT(sr_device_options, memory_limit, 8);
static_assert(sizeof(sr_device_options) >= 16);

AT(sr_device_info, struct_size, 0);
AT(sr_device_info, host_addressable, 4);
AT(sr_device_info, alignment, 8);
AT(sr_device_info, memory_total, 16);
AT(sr_device_info, name, 24);
AT(sr_device_info, concurrent_stream, 88);
AT(sr_device_info, reserved, 92);
AT(sr_device_info, bandwidth, 96);
AT(sr_device_info, peak_flops, 104);
static_assert(sizeof(sr_device_info) >= 232);

AT(sr_backend, struct_size, 0);
AT(sr_backend, abi_minor, 4);
AT(sr_backend, kind, 8);
AT(sr_backend, version, 16);
AT(sr_backend, device_count, 24);
AT(sr_backend, device_open, 32);
AT(sr_backend, device_close, 40);
AT(sr_backend, device_info, 48);
AT(sr_backend, mem_alloc, 56);
AT(sr_backend, mem_free, 64);
AT(sr_backend, copy, 72);
AT(sr_backend, stream_create, 80);
AT(sr_backend, stream_destroy, 88);
AT(sr_backend, stream_sync, 96);
AT(sr_backend, op_query, 104);
AT(sr_backend, op_run, 112);
AT(sr_backend, last_error, 120);
AT(sr_backend, memory_pointer, 128);
AT(sr_backend, kernel_at, 136);
static_assert(sizeof(sr_backend) >= 144);

static_assert(sizeof(sr_status) == 4 && SR_OK == 0 && SR_ERROR_INVALID == 1 && SR_ERROR_OUT_OF_MEMORY == 2 &&
              SR_ERROR_UNSUPPORTED == 3 && SR_ERROR_DEVICE == 4);
static_assert(SR_F64 == 0 && SR_F32 == 1 && SR_BF16 == 2 && SR_F16 == 3 && SR_I8 == 4 && SR_U8 == 5 &&
              SR_I16 == 6 && SR_I32 == 7 && SR_I64 == 8 && SR_BOOL == 9);
static_assert(SR_ROLE_IN == 0 && SR_ROLE_OUT == 1 && SR_ROLE_INOUT == 2 && SR_TENSOR_STABLE == 1);
static_assert(SR_ATTR_I64 == 0 && SR_ATTR_F64 == 1 && SR_ATTR_LIST == 2);
static_assert(SR_SUPPORT_NO == 0 && SR_SUPPORT_NATIVE == 1 && SR_SUPPORT_NEEDS_CONTIGUOUS == 2);

// Declarations alone: no comments, no spaces.
std::vector<std::string> declarations(const std::string& path) {
  const std::string text = read_file(path);
  std::string code;
  for (size_t i = 0; i < text.size();) {
    if (text.compare(i, 2, "/*") == 0)
      i = text.find("*/", i) + 2;
    else
      code += text[i++];
  }
  std::vector<std::string> lines(1);
  for (const char c : code) {
    if (c != ' ' && c != '\n') lines.back() += c;
    if (c == ';' || c == '{' || (c == '\n' && lines.back().starts_with("#"))) lines.emplace_back();
  }
  return lines;
}

// A minor version may add declarations and fields, but what the frozen header declares stands, in its order.
TEST(Abi, TodaysHeaderDeclaresWhatTheFrozenOneDoes) {
  const auto frozen = declarations("backends/abi/frozen/suiren_backend_v1.h");
  EXPECT_GT(frozen.size(), 100u);
  const auto today = declarations("backends/abi/suiren_backend.h");
  auto at = today.begin();
  for (const std::string& line : frozen) {
    at = std::find(at, today.end(), line);
    ASSERT_NE(at, today.end()) << line;
    ++at;
  }
}

TEST(Abi, APluginOfTheDayOfTheFreezeRunsInTodaysHost) {
  const Device chip(SUIREN_PLUGIN_FOLDER "/libplugin_frozen_v1.so");
  EXPECT_EQ(chip.name(), "frozen_v1:0");
  reset_fallback_ledger();
  const Tensor x = Tensor::from(std::vector<float>{1, 2, 3}, {3}, chip);
  EXPECT_EQ(add(x, x).to_vector<float>(), (std::vector<float>{2, 4, 6}));
  EXPECT_TRUE(fallback_ledger().empty());
  EXPECT_EQ(neg(x).to_vector<float>(), (std::vector<float>{-1, -2, -3}));
  ASSERT_EQ(fallback_ledger().size(), 1u);
  EXPECT_EQ(fallback_ledger()[0].reason, "frozen_v1 only adds");
}

}  // namespace
}  // namespace suiren
