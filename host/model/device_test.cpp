#include "host/model/device.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/hardware/hardware.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::flag;

RunDevice device(const std::string& asked, const std::string& against_cuda = "") {
  const Settings settings = resolve(Schema::host(), {flag("run.device", asked)}, Unknown::refuse);
  return resolve_device(settings, [&] { return against_cuda; });
}

TEST(Device, Cpu) {
  const RunDevice cpu = device("cpu");
  EXPECT_EQ(cpu.name, "cpu");
  EXPECT_FALSE(cpu.is_cuda());
  EXPECT_EQ(cpu.why, "asked for by --flag");
  ASSERT_TRUE(available_memory(cpu).has_value());
  EXPECT_GT(*available_memory(cpu), uint64_t{1} << 20);
}

TEST(Device, WhatIsNoDeviceIsRefused) {
  for (const char* name : {"gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:1x", "CPU ", ""})
    EXPECT_TRUE(contains(test::refusal([&] { device(name); }), "is no device; there are cpu, cuda, cuda:N and auto"));
}

TEST(Device, ADeviceThatIsNotThereIsRefused) {
  EXPECT_TRUE(
      contains(test::refusal([&] { device("cuda:4711"); }), "device cuda:4711, asked for by --flag, is not there"));
}

TEST(Device, AutoFollowsTheMachine) {
  const bool has_cuda = !cuda_driver().devices.empty();
  EXPECT_EQ(device("auto").is_cuda(), has_cuda);
  const RunDevice refused = device("auto", "the pipeline runs on the CPU only");
  EXPECT_FALSE(refused.is_cuda());
  EXPECT_TRUE(contains(refused.why, has_cuda ? "the pipeline runs on the CPU only" : cuda_driver().problem));
}

}  // namespace
}  // namespace fastvideo::host
