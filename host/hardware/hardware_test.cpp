#include "host/hardware/hardware.hpp"

#include <gtest/gtest.h>
#include <link.h>
#include <sys/sysinfo.h>

#include <cstring>
#include <thread>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

bool is_mapped(const char* part) {
  struct Search {
    const char* part;
    bool found;
  } search{part, false};
  dl_iterate_phdr(
      [](dl_phdr_info* info, size_t, void* data) {
        auto& wanted = *static_cast<Search*>(data);
        wanted.found = wanted.found || std::strstr(info->dlpi_name, wanted.part) != nullptr;
        return 0;
      },
      &search);
  return search.found;
}

TEST(Cpu, SaysWhatTheSystemSays) {
  const CpuInfo info = cpu_info();
  EXPECT_GE(info.threads, 1);
  EXPECT_LE(info.threads, static_cast<int>(std::thread::hardware_concurrency()));
  EXPECT_GT(info.available_memory, uint64_t{1} << 20);
  EXPECT_LE(info.available_memory, info.total_memory);
  struct sysinfo system {};
  ASSERT_EQ(sysinfo(&system), 0);
  EXPECT_LE(info.total_memory, uint64_t{system.totalram} * system.mem_unit);
}

TEST(Cpu, OpensNoDriver) {
  const bool before = is_mapped("libcuda");  // by another test of this process
  (void)cpu_info();
  EXPECT_EQ(is_mapped("libcuda"), before);
}

class FakeSystem : public ::testing::Test {
 protected:
  FakeSystem() {
    files_.write("proc/cpuinfo", "processor\t: 0\nmodel name\t: Abacus 3\nflags\t\t: fpu\n");
    files_.write("proc/meminfo", "MemTotal:        1000000 kB\nMemFree:  1 kB\nMemAvailable:    600000 kB\n");
  }
  CpuInfo info() const { return cpu_info(files_.path()); }
  test::TemporaryFolder files_;
};

TEST_F(FakeSystem, WithoutLimits) {
  EXPECT_EQ(info().model, "Abacus 3");
  EXPECT_EQ(info().total_memory, 1000000u * 1024);
  EXPECT_EQ(info().available_memory, 600000u * 1024);
}

TEST_F(FakeSystem, Version2LimitsOfEveryGroupHold) {
  files_.write("proc/self/cgroup", "0::/outer/inner\n");
  files_.write("sys/fs/cgroup/outer/memory.max", "300000000\n");
  files_.write("sys/fs/cgroup/outer/memory.current", "200000000\n");
  files_.write("sys/fs/cgroup/outer/memory.stat", "anon 5\ninactive_file 10000000\nactive_file 20000000\n");
  files_.write("sys/fs/cgroup/outer/inner/memory.max", "max\n");
  files_.write("sys/fs/cgroup/outer/inner/memory.current", "5\n");
  files_.write("sys/fs/cgroup/outer/inner/cpu.max", "50000 100000\n");
  EXPECT_EQ(info().total_memory, 300000000u);
  EXPECT_EQ(info().available_memory, 130000000u) << "limit - (used - file pages)";
  EXPECT_EQ(info().threads, 1) << "half a CPU";
}

TEST_F(FakeSystem, Version1LimitsInAContainerHold) {
  files_.write("proc/self/cgroup", "4:memory:/docker/0123\n2:cpu,cpuacct:/docker/0123\n");
  files_.write("sys/fs/cgroup/memory/memory.limit_in_bytes", "100000000\n");
  files_.write("sys/fs/cgroup/memory/memory.usage_in_bytes", "150000000\n");
  files_.write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n");
  files_.write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
  EXPECT_EQ(info().total_memory, 100000000u);
  EXPECT_EQ(info().available_memory, 0u) << "more used than allowed: no wrap-around";
  EXPECT_EQ(info().threads, cpu_info().threads) << "no quota";
}

TEST(Cuda, HasDevicesOrSaysWhyNot) {
  const CudaDriver& driver = cuda_driver();
  EXPECT_EQ(&driver, &cuda_driver()) << "asked once";
  EXPECT_EQ(driver.devices.empty(), !driver.problem.empty()) << driver.problem;
  for (const CudaDevice& device : driver.devices) {
    EXPECT_FALSE(device.name.empty());
    EXPECT_GE(device.architecture(), 50);
    EXPECT_GT(device.total_memory, uint64_t{1} << 30);
    EXPECT_GE(driver.version, 11000);
    if (const auto free = free_memory(device)) {
      EXPECT_LE(*free, device.total_memory);
      EXPECT_GT(*free, 0u);
    }
  }
}

TEST(Cuda, VersionReadsAsTheDriverWritesIt) {
  CudaDriver driver;
  driver.version = 12080;
  EXPECT_EQ(driver.version_text(), "12.8");
  driver.version = 13000;
  EXPECT_EQ(driver.version_text(), "13.0");
}

TEST(Cuda, AnUnknownDeviceHasNoFreeMemory) {
  CudaDevice device;
  device.bus = "ffff:ff:1f.0";
  EXPECT_EQ(free_memory(device), std::nullopt);
}

}  // namespace
}  // namespace fastvideo::host
