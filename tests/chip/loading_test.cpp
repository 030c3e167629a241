// What the host takes from a plug-in and what it refuses, in words. Each wish makes plugins/crooked.cpp
// return another table; each spelling of its path is a plug-in of its own to the host.

#include <gtest/gtest.h>
#include <stdlib.h>

#include "suiren/core/backend.h"
#include "suiren/core/tensor.h"
#include "suiren/ops/catalog.h"

namespace suiren {
namespace {

std::string path_for(const std::string& wish) {
  static std::string dots;
  dots += "/.";
  std::string path = SUIREN_PLUGIN_FOLDER + dots + "/libplugin_crooked.so";
  setenv("SUIREN_CROOKED", wish.c_str(), 1);
  return path;
}

std::string refusal(const std::string& device) {
  try {
    Device{device};
  } catch (const Error& e) {
    return e.message();
  }
  return "";
}

TEST(Loading, AShortTableIsCompletedWithNull) {
  const Device chip(path_for("short"));
  EXPECT_EQ(chip.name(), "short:0");
  EXPECT_EQ(chip.context().backend().memory_pointer, nullptr);
  EXPECT_EQ(chip.context().backend().kernel_at, nullptr);
  EXPECT_FALSE(ops_rows().empty());  // asks every chip for its kernels
}

TEST(Loading, ALongTableIsReadAsFarAsItIsKnown) { EXPECT_EQ(Device(path_for("long")).name(), "long:0"); }

TEST(Loading, WhatAChipDoesNotSayOfItselfIsZero) {
  const sr_device_info& info = Device(path_for("reticent")).context().info();
  EXPECT_EQ(info.alignment, 32u);
  EXPECT_EQ(info.host_addressable, 0u);
  EXPECT_EQ(info.concurrent_stream, 0u);
  EXPECT_EQ(info.memory_total, 0u);
  EXPECT_EQ(info.bandwidth, 0);
  for (double f : info.peak_flops) EXPECT_EQ(f, 0);
}

TEST(Loading, WhatIsMissingIsNamed) {
  const auto has = [](const std::string& wish, const std::string& part) {
    const std::string text = refusal(path_for(wish));
    EXPECT_NE(text.find(part), std::string::npos) << wish << ": " << text;
  };
  has("hollow", "lacks mem_free");
  has("cut", "lacks op_run");
  has("nameless", "lacks kind");
  has("none", "declined this host");
  has("cpu", "is of kind 'cpu', and another chip has that name");
}

TEST(Loading, APluginIsOneHoweverItIsFound) {
  const Device a(path_for("single"));
  EXPECT_EQ(Device("single"), a);
  EXPECT_EQ(Device("single:0"), a);
  const std::string text = refusal("single:1");
  EXPECT_NE(text.find("no device single:1; this machine has 1"), std::string::npos) << text;
}

TEST(Loading, AnErrorOfAChipCarriesItsOwnSentence) {
  const Device chip(path_for("poor"));
  try {
    (void)Tensor::empty({4}, kF32, chip);
    FAIL() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ErrorCode::kDevice);
    EXPECT_NE(std::string(e.what()).find("it has no memory at all"), std::string::npos) << e.what();
  }
}

TEST(Loading, AnUnknownKindSaysWhereItWasLookedFor) {
  const std::string text = refusal("nonsense");
  EXPECT_NE(text.find("no device named 'nonsense'"), std::string::npos);
  ASSERT_FALSE(plugin_folders().empty());
  for (const std::string& folder : plugin_folders()) EXPECT_NE(text.find(folder), std::string::npos) << text;
}

}  // namespace
}  // namespace suiren
