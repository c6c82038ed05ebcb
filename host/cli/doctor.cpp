#include "host/cli/doctor.hpp"

#include <fastvideo/abi.h>
#include <gnu/libc-version.h>
#include <sys/utsname.h>

#include <algorithm>
#include <chrono>
#include <fastvideo/core.hpp>
#include <fstream>
#include <set>

#include "host/cli/plugin_list.hpp"
#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"
#include "host/hardware/hardware.hpp"
#include "host/media/video_writer.hpp"
#include "host/plugins/library_file.hpp"
#include "host/plugins/loader.hpp"
#include "host/process/child_process.hpp"
#include "host/services/host_services.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;
using Rows = std::vector<std::vector<std::string>>;

// Variables of others that change what a run does.
constexpr const char* kVariables[] = {"FASTVIDEO_CONFIG", "CUDA_VISIBLE_DEVICES", "HF_HOME",         "HF_HUB_CACHE",
                                      "LD_LIBRARY_PATH",  "LD_PRELOAD",           "OMP_NUM_THREADS", "XDG_CONFIG_HOME"};

// PRETTY_NAME of os-release(5); empty if the system does not say.
std::string system_name() {
  std::ifstream file("/etc/os-release");
  for (std::string line; std::getline(file, line);) {
    constexpr std::string_view kKey = "PRETTY_NAME=";
    if (!line.starts_with(kKey)) continue;
    line.erase(0, kKey.size());
    line.erase(std::remove(line.begin(), line.end(), '"'), line.end());
    return line;
  }
  return "Linux";
}

std::string program_section() {
  utsname kernel{};
  uname(&kernel);
  std::error_code none;
  return "program\n" + text_table({{"fastvideo", std::string(host_version())},
                                   {"plugin ABI", std::to_string(FV_ABI_MAJOR) + "." + std::to_string(FV_ABI_MINOR)},
                                   {"file", fs::read_symlink("/proc/self/exe", none).string()},
                                   {"system", system_name() + ", " + kernel.sysname + " " + kernel.release + " " +
                                                  kernel.machine + ", glibc " + gnu_get_libc_version()}});
}

std::string hardware_section() {
  const CpuInfo cpu = cpu_info();
  Rows rows{{"processor", cpu.model.empty() ? "unknown" : cpu.model, std::to_string(cpu.threads) + " threads"},
            {"memory", readable_bytes(cpu.total_memory), readable_bytes(cpu.available_memory) + " available"}};
  const CudaDriver& driver = cuda_driver();
  rows.push_back({"CUDA driver", driver.version > 0 ? "CUDA " + driver.version_text() : "none", driver.problem});
  for (const CudaDevice& device : driver.devices) {
    const auto free = free_memory(device);
    rows.push_back({"cuda:" + std::to_string(device.index),
                    device.name + " (sm" + std::to_string(device.architecture()) + ")",
                    readable_bytes(device.total_memory) + (free ? ", " + readable_bytes(*free) + " free" : "") +
                        ", bus " + device.bus});
  }
  return "hardware\n" + text_table(rows);
}

// "2.11 in /opt/libtorch/lib", or what is wrong.
std::string torch_state(const std::vector<fs::path>& path) {
  for (const fs::path& folder : path) {
    std::error_code none;
    if (!fs::exists(folder / "libtorch_cpu.so", none)) continue;
    try {
      return installed_torch_version(folder) + " in " + folder.string();
    } catch (const RequestError& e) {
      return e.what();
    }
  }
  return "not found: no folder of [libraries] path holds libtorch_cpu.so";
}

std::string usable(const std::string& library, const std::vector<fs::path>& path) {
  const std::vector<std::string> missing = missing_libraries(library, path);
  return missing.empty() ? "can be opened" : "missing: " + joined(missing);
}

std::string ffmpeg_state(const char* output) {
  try {
    check_ffmpeg_for("video" + std::string(output));
    return "can be written";
  } catch (const std::exception& e) {
    return e.what();
  }
}

std::string tools_section(const Settings& settings) {
  const std::vector<fs::path> path = library_path(settings);
  Rows rows{{"LibTorch", torch_state(path)},
            {"  on the CPU", usable("libtorch_cpu.so", path)},
            {"  on CUDA", usable("libtorch_cuda.so", path)}};
  const auto ffmpeg = find_program("ffmpeg");
  std::string version = "not on PATH";
  if (ffmpeg) {
    try {
      const std::string words = run_command(*ffmpeg, {"-version"}, std::chrono::seconds(30)).output;
      version = ffmpeg->string() + ", " + words.substr(0, words.find('\n'));
    } catch (const std::exception& e) {
      version = e.what();
    }
  }
  rows.push_back({"ffmpeg", version});
  for (const char* output : {".mp4", ".webm", ".gif"})
    rows.push_back({"  " + std::string(output), ffmpeg_state(output)});
  return "libraries and programs\n" + text_table(rows);
}

std::string settings_section(const Settings& settings, const std::vector<fs::path>& config_files) {
  Rows files, rows;
  for (const fs::path& file : config_files) files.push_back({file.string()});
  for (const auto& [path, setting] : settings.all())
    if (setting.source.kind != Source::Kind::built_in)
      rows.push_back({path, setting.value.to_toml(), setting.source.describe()});
  return "configuration files\n" + (files.empty() ? "  none\n" : text_table(files)) +
         "settings that are not defaults\n" + (rows.empty() ? "  none\n" : text_table(rows));
}

std::string environment_section(const Schema& schema) {
  std::set<std::string> names(std::begin(kVariables), std::end(kVariables));
  for (const SettingSpec& spec : schema.all())
    if (!spec.option.variable.empty()) names.insert(spec.option.variable);
  Rows rows;
  for (const std::string& name : names)
    if (const char* value = process_environment(name.c_str())) rows.push_back({name, value});
  return "variables\n" + (rows.empty() ? "  none\n" : text_table(rows));
}

}  // namespace

std::string doctor(const Settings& settings, const Schema& schema, const Catalog& catalog,
                   const std::vector<SearchFolder>& searched, const std::vector<fs::path>& config_files) {
  std::string warnings;
  for (const std::string& warning : catalog.warnings()) warnings += "  " + shortened(warning, 1000) + "\n";
  return program_section() + hardware_section() + tools_section(settings) +
         list_plugins_here(catalog, searched, settings) + (warnings.empty() ? "" : "warnings\n" + warnings) +
         settings_section(settings, config_files) + environment_section(schema);
}

}  // namespace fastvideo::host
