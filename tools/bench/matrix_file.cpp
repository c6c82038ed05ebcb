#include "tools/bench/matrix_file.hpp"

#include <algorithm>

#include "host/config/toml.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

class Reader {
 public:
  explicit Reader(std::string file) : file_(std::move(file)) {}

  BenchPlan read() {
    const TomlValue root = parse_toml(read_text_file(file_), file_);
    BenchPlan plan;
    std::string reference;
    const TomlEntry* reference_entry = nullptr;
    for (const TomlEntry& entry : root.entries) {
      if (entry.name == "setting") {
        read_settings(entry, plan);
      } else if (entry.name == "prompts") {
        for (const TomlValue& one : list(entry)) plan.prompts.push_back(typed(one, FV_VALUE_STRING).string());
      } else if (entry.name == "seeds") {
        for (const TomlValue& one : list(entry)) plan.seeds.push_back(seed(one));
      } else if (entry.name == "repeat") {
        plan.rounds = typed(entry.value, FV_VALUE_INT).integer();
      } else if (entry.name == "reference") {
        reference = typed(entry.value, FV_VALUE_STRING).string();
        reference_entry = &entry;
      } else {
        throw refusal(entry, "'" + entry.name + "' is not known; possible are setting, reference, prompts, seeds and " +
                                 "repeat");
      }
    }
    if (plan.settings.empty()) throw RequestError(file_ + ": has no [[setting]]");
    if (reference_entry != nullptr) {
      const auto named = [&](const BenchSetting& setting) { return setting.name == reference; };
      const auto found = std::find_if(plan.settings.begin(), plan.settings.end(), named);
      if (found == plan.settings.end()) throw refusal(*reference_entry, "no setting is called '" + reference + "'");
      plan.reference = static_cast<size_t>(found - plan.settings.begin());
    }
    return plan;
  }

 private:
  template <class Placed>
  RequestError refusal(const Placed& at, const std::string& what) const {
    return RequestError(place(at) + ": " + what);
  }
  template <class Placed>
  std::string place(const Placed& at) const {
    return file_ + ":" + std::to_string(at.line) + ":" + std::to_string(at.column);
  }

  const Value& typed(const TomlValue& value, uint32_t type) const {
    if (value.type != type)
      throw refusal(value, std::string("a ") + (type == FV_VALUE_INT ? "whole number" : "text") + " is needed here");
    return value.scalar;
  }

  const std::vector<TomlValue>& list(const TomlEntry& entry) const {
    if (entry.value.type != FV_VALUE_LIST || entry.value.items.empty())
      throw refusal(entry, entry.name + " is a list with at least one element");
    return entry.value.items;
  }

  uint64_t seed(const TomlValue& value) const {
    const OptionSpec option{.name = "seed", .type = OptionType::seed};
    return seed_of(option.check(value.value(), file_ + ":" + std::to_string(value.line) + ": seeds"));
  }

  void read_settings(const TomlEntry& entry, BenchPlan& plan) const {
    for (const TomlValue& table : list(entry)) {
      if (table.type != FV_VALUE_TABLE) throw refusal(entry, "settings are tables: [[setting]]");
      BenchSetting setting;
      for (const TomlEntry& part : table.entries) {
        if (part.name == "name")
          setting.name = typed(part.value, FV_VALUE_STRING).string();
        else if (part.name == "attention" || part.name == "cache" || part.name == "request")
          flatten(part.name, part, setting.given);
        else
          throw refusal(part, "'" + part.name + "' is no part of a setting; possible are name, attention, cache and " +
                                  "request");
      }
      if (setting.name.empty()) throw refusal(table, "the setting has no name");
      plan.settings.push_back(std::move(setting));
    }
  }

  // Each setting counts as given by a flag, so that it outranks variables and is refused where it has no effect.
  void flatten(const std::string& path, const TomlEntry& entry, std::vector<Given>& given) const {
    if (entry.value.type == FV_VALUE_TABLE) {
      for (const TomlEntry& inner : entry.value.entries) flatten(path + "." + inner.name, inner, given);
      return;
    }
    for (const char* shared : {"request.model_path", "request.prompt", "request.seed", "request.output_path"})
      if (path == shared) throw refusal(entry, path + " is the same for all settings");
    given.push_back({path, entry.value.value(), Source::command_line(place(entry)), false});
  }

  std::string file_;
};

}  // namespace

BenchPlan read_matrix_file(const std::string& file) { return Reader(file).read(); }

}  // namespace fastvideo::host
