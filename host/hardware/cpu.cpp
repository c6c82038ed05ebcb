#include <sched.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <string>

#include "host/hardware/hardware.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// The number in a file of one number; nothing for "max" and where there is no such file.
std::optional<uint64_t> number_in(const fs::path& file) {
  std::ifstream in(file);
  std::string text;
  uint64_t number = 0;
  if (!(in >> text)) return std::nullopt;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  return code == std::errc() && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

// The text behind "key :" in a file of such lines.
std::string line_value(const fs::path& file, std::string_view key) {
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with(key)) continue;
    const size_t colon = line.find(':');
    const size_t begin = line.find_first_not_of(" \t", colon == std::string::npos ? colon : colon + 1);
    if (begin != std::string::npos) return line.substr(begin);
  }
  return "";
}

uint64_t meminfo_bytes(const fs::path& root, std::string_view key) {
  const std::string text = line_value(root / "proc/meminfo", key);
  uint64_t kibibytes = 0;
  std::from_chars(text.data(), text.data() + text.size(), kibibytes);
  return kibibytes * 1024;
}

// The control groups of this process that have a controller, from its own up to the root. Version 2 has all controllers
// in one tree, version 1 a tree for each. Every group may limit what all below it use.
std::vector<fs::path> control_groups(const fs::path& root, const std::string& controller) {
  std::vector<fs::path> groups;
  std::ifstream in(root / "proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first == std::string::npos ? first : first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    fs::path base;
    if (controllers.empty()) base = root / "sys/fs/cgroup";
    if (("," + controllers + ",").find("," + controller + ",") != std::string::npos)
      base = root / "sys/fs/cgroup" / controller;
    if (base.empty()) continue;
    // In a container the path may be that of the system outside, while its own root is mounted at base.
    for (fs::path group = fs::path(line.substr(second + 1)).relative_path(); !group.empty();
         group = group.parent_path())
      groups.push_back(base / group);
    groups.push_back(base);
  }
  return groups;
}

std::optional<uint64_t> either(const fs::path& group, const char* version_2, const char* version_1) {
  const auto number = number_in(group / version_2);
  return number ? number : number_in(group / version_1);
}

// Bytes of file pages in a group's memory, which the kernel gives back when others want them.
uint64_t reclaimable(const fs::path& group) {
  std::ifstream in(group / "memory.stat");
  uint64_t bytes = 0, number = 0;
  for (std::string key; in >> key >> number;)
    if (key == "inactive_file" || key == "active_file") bytes += number;
  return bytes;
}

// CPUs that a group's quota amounts to, rounded up; nothing without quota.
std::optional<int> quota_threads(const fs::path& group) {
  uint64_t quota = 0, period = 0;
  std::ifstream version_2(group / "cpu.max");
  if (!(version_2 >> quota >> period)) {
    quota = number_in(group / "cpu.cfs_quota_us").value_or(0);
    period = number_in(group / "cpu.cfs_period_us").value_or(0);
  }
  if (quota == 0 || period == 0) return std::nullopt;
  return static_cast<int>(std::max<uint64_t>(1, (quota + period - 1) / period));
}

}  // namespace

CpuInfo cpu_info(const fs::path& root) {
  CpuInfo info;
  info.model = line_value(root / "proc/cpuinfo", "model name");
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0) info.threads = std::max(1, CPU_COUNT(&allowed));
  for (const fs::path& group : control_groups(root, "cpu"))
    info.threads = std::min(info.threads, quota_threads(group).value_or(info.threads));

  info.total_memory = meminfo_bytes(root, "MemTotal");
  info.available_memory = meminfo_bytes(root, "MemAvailable");
  for (const fs::path& group : control_groups(root, "memory")) {
    const auto limit = either(group, "memory.max", "memory.limit_in_bytes");
    const auto used = either(group, "memory.current", "memory.usage_in_bytes");
    if (!limit || !used) continue;
    const uint64_t taken = *used - std::min(*used, reclaimable(group));
    info.total_memory = std::min(info.total_memory, *limit);
    info.available_memory = std::min(info.available_memory, *limit - std::min(*limit, taken));
  }
  return info;
}

}  // namespace fastvideo::host
