#include "host/config/installation.hpp"

#include <dlfcn.h>

#include <fastvideo/broken_link.hpp>
#include <stdexcept>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

std::string set_text(const Environment& environment, const char* variable) {
  const char* text = environment(variable);
  return text == nullptr ? "" : text;
}

// The XDG base directory specification ignores a relative XDG_CONFIG_HOME.
std::optional<fs::path> user_config_file(const Environment& environment) {
  fs::path base = set_text(environment, "XDG_CONFIG_HOME");
  if (!base.is_absolute()) {
    base = set_text(environment, "HOME");
    if (!base.is_absolute()) return std::nullopt;
    base /= ".config";
  }
  return base / "fastvideo" / "fastvideo.toml";
}

// Something is there, be it a link that leads nowhere: reading it says why it cannot be read.
bool is_there(const fs::path& file) {
  std::error_code code;
  return fs::symlink_status(file, code).type() != fs::file_type::not_found;
}

fs::path must_exist(const fs::path& file, const std::string& named_by) {
  if (!is_there(file)) {
    const std::string link = broken_link(file.string());
    throw RequestError(named_by + ": the configuration file " + file.string() +
                       (link.empty() ? " does not exist" : " " + link));
  }
  return absolute_path(file);
}

}  // namespace

Installation Installation::of_this_library() {
  static const char inside = 0;
  Dl_info info{};
  if (dladdr(&inside, &info) == 0 || info.dli_fname == nullptr)
    throw std::runtime_error("the dynamic linker does not know the file of this library");
  return {fs::canonical(info.dli_fname).parent_path().parent_path()};
}

std::vector<fs::path> config_files(const Installation& installation, const std::optional<fs::path>& explicit_file,
                                   const Environment& environment) {
  std::vector<fs::path> files;
  if (is_there(installation.config_file())) files.push_back(installation.config_file());

  const std::string variable = set_text(environment, "FASTVIDEO_CONFIG");
  if (explicit_file)
    files.push_back(must_exist(*explicit_file, "--config"));
  else if (!variable.empty())
    files.push_back(must_exist(variable, "FASTVIDEO_CONFIG"));
  else if (const auto user = user_config_file(environment); user && is_there(*user))
    files.push_back(*user);
  return files;
}

std::vector<Given> read_config_files(const std::vector<fs::path>& files) {
  std::vector<Given> given;
  for (const fs::path& file : files) append(given, read_config_file(file));
  return given;
}

}  // namespace fastvideo::host
