#include "tools/bench/plan.hpp"

#include <algorithm>
#include <charconv>
#include <sstream>

#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"
#include "host/request/prompts.hpp"
#include "host/selection/policy.hpp"
#include "tools/bench/matrix_file.hpp"

namespace fastvideo::host {
namespace {

constexpr int64_t kMostRounds = 1000;

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

// All words of a flag that is a list and may be given several times.
std::vector<std::string> words_of(const std::vector<std::string>& lists, const std::string& flag) {
  std::vector<std::string> words;
  for (const std::string& list : lists)
    for (const std::string& word : split(list, ',')) {
      if (word.empty())
        throw RequestError(std::string(flag).append(" ").append(list) + ": a name is missing between two commas");
      words.push_back(word);
    }
  return words;
}

int64_t parse_integer(const std::string& text, const std::string& where, int64_t least, int64_t most) {
  int64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (code != std::errc() || end != text.data() + text.size() || number < least || number > most)
    throw RequestError(where + " " + text + ": an int from " + std::to_string(least) + " to " + std::to_string(most) +
                       " is needed");
  return number;
}

uint64_t parse_seed(const std::string& text, const std::string& where) {
  return seed_of(OptionSpec{.name = "seed", .type = OptionType::seed}.parse(text, where));
}

// If a setting were accepted in two places, one of them would silently have no effect.
void refuse_second(const Settings& base, const std::string& path, const std::string& instead) {
  const Setting* setting = base.find(path);
  if (setting != nullptr && setting->source.kind == Source::Kind::command_line)
    throw RequestError(setting->source.describe() + " and " + instead + " ask for the same: leave one out");
}

void refuse_shared_cache(const Settings& base, const std::string& instead) {
  for (const auto& [path, setting] : base.all())
    if (path == "cache.strategy" || (path.starts_with("cache.") && path.ends_with(".enable")))
      refuse_second(base, path, instead);
}

bool is_none(const std::string& word) { return same_name(word, "none"); }

std::string options_of(const Item& item) {
  std::string names;
  for (const OptionSpec& option : item.options) names += (names.empty() ? "" : ", ") + option.name;
  return names.empty() ? item.name + " has no options" : "its options are " + names;
}

RequestError no_such_option(const Source& source, const std::string& name, const std::string& option,
                            const Item& item) {
  std::string text = source.describe();
  text.append(": ").append(name).append(" has no option '").append(option).append("'; ").append(options_of(item));
  if (!item.options.empty())
    text.append(": write ").append(name).append(":").append(item.options.front().name).append("=VALUE");
  return RequestError(text);
}

std::vector<BenchSetting> cross(const BenchFlags& flags, const Catalog& catalog) {
  const std::vector<std::string> backends = words_of(flags.attention, "--attention");
  std::vector<std::string> strategies = words_of(flags.cache, "--cache");
  if (backends.empty() && strategies.empty())
    throw RequestError(
        "nothing to compare: --cache none,teacache:0.05,first_block:0.1, --attention A,B, or a --matrix FILE.toml");
  if (std::none_of(strategies.begin(), strategies.end(), is_none)) strategies.insert(strategies.begin(), "none");

  std::vector<BenchSetting> settings;
  const std::vector<std::string> as_configured{""};
  for (const std::string& backend : backends.empty() ? as_configured : backends)
    for (const std::string& strategy : strategies) {
      BenchSetting setting{backends.size() > 1 ? std::string(backend).append(" ").append(strategy) : strategy, {}};
      if (!backend.empty()) setting.given = parse_choice(backend, "attention", catalog);
      for (Given& given : parse_choice(strategy, "cache", catalog)) setting.given.push_back(std::move(given));
      settings.push_back(std::move(setting));
    }
  return settings;
}

size_t first_without_caching(const std::vector<BenchSetting>& settings) {
  const auto uncached = [](const BenchSetting& setting) {
    return std::any_of(setting.given.begin(), setting.given.end(), [](const Given& given) {
      return given.path == "cache.strategy" && is_none(given.value.string());
    });
  };
  return static_cast<size_t>(std::find_if(settings.begin(), settings.end(), uncached) - settings.begin());
}

void refuse_twice(const std::vector<BenchSetting>& settings) {
  for (size_t i = 0; i < settings.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (settings[i].name == settings[j].name)
        throw RequestError("the setting '" + settings[i].name + "' is there twice");
}

void set_prompts(BenchPlan& plan, const BenchFlags& flags, const Settings& base) {
  if (!flags.prompt_file.empty()) {
    refuse_second(base, "request.prompt", "--prompt-file");
    if (!plan.prompts.empty()) throw RequestError("--prompt-file and prompts of " + flags.matrix + ": leave one out");
    plan.prompts = read_prompt_file(flags.prompt_file);
  } else if (!plan.prompts.empty()) {
    refuse_second(base, "request.prompt", "prompts of " + flags.matrix);
  } else if (const Setting* prompt = base.find("request.prompt")) {
    plan.prompts = {prompt->value.string()};
  } else {
    throw RequestError("no prompt is given: --prompt \"what the video shows\", or --prompt-file FILE");
  }
}

void set_seeds(BenchPlan& plan, const BenchFlags& flags, const Settings& base) {
  const std::vector<std::string> words = words_of(flags.seeds, "--seeds");
  if (!words.empty()) {
    refuse_second(base, "request.seed", "--seeds");
    if (!plan.seeds.empty()) throw RequestError("--seeds and seeds of " + flags.matrix + ": leave one out");
    for (const std::string& word : words) plan.seeds.push_back(parse_seed(word, "--seeds"));
  } else if (!plan.seeds.empty()) {
    refuse_second(base, "request.seed", "seeds of " + flags.matrix);
  } else {
    const Setting* seed = base.find("request.seed");
    plan.seeds = {seed != nullptr ? seed_of(seed->value) : 0};
  }
}

}  // namespace

std::vector<Given> parse_choice(const std::string& word, const std::string& kind, const Catalog& catalog) {
  const Source source = Source::command_line("--" + kind + " " + word);
  const std::vector<std::string> parts = split(word, ':');
  const std::string& name = parts.front();
  std::vector<Given> given{{kind == "cache" ? "cache.strategy" : "attention.backend", name, source, true}};
  const bool is_no_item = kind == "cache" ? is_none(name) : same_name(name, kAuto);
  if (is_no_item && parts.size() == 1 && !word.ends_with(':')) return given;
  const auto items = catalog.find(kind, name);
  if (items.empty()) {
    const std::vector<std::string> known = catalog.names(kind);
    std::string all;
    for (const std::string& one : known) all += (all.empty() ? "" : ", ") + one;
    throw RequestError(source.describe() + ": there is no '" + name + "'" + did_you_mean(name, known) +
                       (all.empty() ? "; none is installed" : "; installed are " + all));
  }
  const Item& item = *items.front()->item;
  if (word.ends_with(':')) throw RequestError(source.describe() + ": nothing stands behind the last colon");
  for (size_t i = 1; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    const std::string option = equals == std::string::npos ? "threshold" : parts[i].substr(0, equals);
    const auto is_it = [&](const OptionSpec& spec) { return spec.name == option; };
    if (std::none_of(item.options.begin(), item.options.end(), is_it)) throw no_such_option(source, name, option, item);
    const std::string value = equals == std::string::npos ? parts[i] : parts[i].substr(equals + 1);
    given.push_back({item.settings_prefix() + "." + option, value, source, true});
  }
  return given;
}

BenchPlan bench_plan(const BenchFlags& flags, const Settings& base, const Catalog& catalog) {
  BenchPlan plan;
  if (!flags.matrix.empty()) {
    if (!flags.attention.empty() || !flags.cache.empty())
      throw RequestError("--matrix takes the place of --attention and --cache: leave one out");
    refuse_second(base, "attention.backend", "--matrix");
    refuse_shared_cache(base, "--matrix");
    plan = read_matrix_file(flags.matrix);
  } else {
    if (!flags.attention.empty()) refuse_second(base, "attention.backend", "--attention");
    refuse_shared_cache(base, "--cache");
    plan.settings = cross(flags, catalog);
    plan.reference = first_without_caching(plan.settings);
  }
  refuse_twice(plan.settings);
  if (plan.settings.size() < 2) throw RequestError("one setting alone: nothing to compare it with");
  set_prompts(plan, flags, base);
  set_seeds(plan, flags, base);
  if (!flags.repeat.empty()) plan.rounds = parse_integer(flags.repeat, "--repeat", 1, kMostRounds);
  if (plan.rounds < 1 || plan.rounds > kMostRounds)
    throw RequestError(flags.matrix + ": repeat is " + std::to_string(plan.rounds) + "; possible are 1 to " +
                       std::to_string(kMostRounds));
  return plan;
}

}  // namespace fastvideo::host
