#include <algorithm>
#include <vector>

#include "host/cli/settings_pages.hpp"

namespace fastvideo::host {
namespace {

std::string remarks(const SettingSpec& spec) {
  const OptionSpec& option = spec.option;
  std::string out = option.help.empty() ? "" : "# " + option.help + "\n";
  out += "# " + option.allowed();
  if (!option.flag.empty()) out += "; " + option.flag;
  if (!option.variable.empty()) out += "; " + option.variable;
  if (!spec.owner.empty()) out += "; of " + spec.owner;
  return out + "\n";
}

}  // namespace

std::string default_config(const Schema& schema) {
  std::string out =
      "# fastvideo.toml: every setting with its default. Lines that begin with # and a letter are settings: take away "
      "the\n"
      "# sign and change the value. Settings without default end in =. Beside what a setting may be stand the flag and "
      "the\n"
      "# environment variable that stand for it.\n"
      "# Defaults < this file ($XDG_CONFIG_HOME/fastvideo/fastvideo.toml, or what FASTVIDEO_CONFIG or --config names)\n"
      "# < environment variables < command line. Written by `fastvideo --print-default-config`.\n";
  std::vector<std::string> sections;
  for (const SettingSpec& spec : schema.all())
    if (std::find(sections.begin(), sections.end(), spec.section()) == sections.end())
      sections.push_back(spec.section());

  for (const std::string& section : sections) {
    out += "\n[" + section + "]\n";
    for (const SettingSpec& spec : schema.all()) {
      if (spec.section() != section) continue;
      const Value& value = spec.option.default_value;
      out += remarks(spec) + "#" + spec.option.name + " =" + (value.empty() ? "" : " " + value.to_toml()) + "\n";
    }
  }
  return out;
}

}  // namespace fastvideo::host
