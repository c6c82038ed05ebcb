#include "host/config/installation.hpp"

#include "host/error/error.hpp"

namespace fastvideo {
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

fs::path must_exist(const fs::path& file, const std::string& named_by) {
  std::error_code code;
  if (!fs::exists(file, code))
    throw RequestError(named_by + ": the configuration file " + file.string() + " does not exist");
  return fs::absolute(file);
}

}  // namespace

Installation Installation::of_this_program() {
  const fs::path above = fs::read_symlink("/proc/self/exe").parent_path().parent_path();
  return {above.filename() == "libexec" ? above.parent_path() : above};
}

std::vector<fs::path> config_files(const Installation& installation, const std::optional<fs::path>& explicit_file,
                                   const Environment& environment) {
  std::vector<fs::path> files;
  std::error_code code;
  if (fs::exists(installation.config_file(), code)) files.push_back(installation.config_file());

  const std::string variable = set_text(environment, "FASTVIDEO_CONFIG");
  if (explicit_file)
    files.push_back(must_exist(*explicit_file, "--config"));
  else if (!variable.empty())
    files.push_back(must_exist(variable, "FASTVIDEO_CONFIG"));
  else if (const auto user = user_config_file(environment); user && fs::exists(*user, code))
    files.push_back(*user);
  return files;
}

std::vector<Given> read_config_files(const std::vector<fs::path>& files) {
  std::vector<Given> given;
  for (const fs::path& file : files) {
    const std::vector<Given> part = read_config_file(file);
    given.insert(given.end(), part.begin(), part.end());
  }
  return given;
}

}  // namespace fastvideo
