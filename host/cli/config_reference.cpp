#include <algorithm>
#include <map>
#include <vector>

#include "host/cli/settings_pages.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

// "TORCH_SDPA/torch" of "TORCH_SDPA/torch (folder/plugin.toml)": where it lies is not the same everywhere.
std::string owner_of(const SettingSpec& spec) { return spec.owner.substr(0, spec.owner.find(" (")); }

// A cell of a table: a bar would end it.
std::string cell(const std::string& text) {
  std::string out;
  for (const char c : printable(text)) out += c == '|' ? std::string("\\|") : std::string(1, c);
  return out;
}

std::string code(const std::string& text) { return text.empty() ? "" : "`" + cell(text) + "`"; }

std::string row(const SettingSpec& spec) {
  const OptionSpec& option = spec.option;
  std::string instead = code(option.flag);
  if (!option.variable.empty()) instead += (instead.empty() ? "" : ", ") + code(option.variable);
  const std::string value = option.default_value.empty() ? "" : code(option.default_value.to_toml());
  return "| " + code(option.name) + " | " + cell(option.allowed()) + " | " + value + " | " + instead + " | " +
         cell(option.help) + " |\n";
}

// Consecutive headings of one section and owner are written once.
struct Part {
  std::string section, owner;
  std::string rows;
};

}  // namespace

std::string config_reference(const Schema& schema) {
  std::vector<Part> parts;
  std::map<std::pair<std::string, std::string>, size_t> places;
  for (const SettingSpec& spec : schema.all()) {
    const std::string section = spec.section(), owner = owner_of(spec);
    const auto [place, is_new] = places.try_emplace({section, owner}, parts.size());
    if (is_new) parts.push_back({section, owner, ""});
    parts[place->second].rows += row(spec);
  }
  // The host's own first, then by name: the order of discovery is that of folders.
  std::stable_sort(parts.begin(), parts.end(), [](const Part& a, const Part& b) {
    if (a.owner.empty() != b.owner.empty()) return a.owner.empty();
    return !a.owner.empty() && std::pair(a.section, a.owner) < std::pair(b.section, b.owner);
  });
  std::string out =
      "# Settings\n"
      "\n"
      "Every setting of the program and of the plugins that come with it. Written by `fastvideo "
      "--print-config-reference`\n"
      "from the tables that check the settings; with plugins of yours installed, it has theirs too.\n"
      "\n"
      "A setting may be given in four places; a later one wins: its default, a TOML file\n"
      "(`$XDG_CONFIG_HOME/fastvideo/fastvideo.toml`, or the file that `FASTVIDEO_CONFIG` or `--config` names), an "
      "environment\n"
      "variable, the command line. Without a flag of its own: `--set section.name=value`. `fastvideo explain` shows "
      "each\n"
      "parameter of the video, and `fastvideo doctor` each other setting that is no default, with the place that it "
      "comes from.\n";
  for (const Part& part : parts) {
    out += "\n## `[" + part.section + "]`" + (part.owner.empty() ? "" : " of " + part.owner) + "\n\n";
    out += "| setting | what it may be | default | flag, variable | |\n|---|---|---|---|---|\n" + part.rows;
  }
  return out;
}

}  // namespace fastvideo::host
