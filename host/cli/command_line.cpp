#include "host/cli/command_line.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <map>
#include <unordered_set>

#include "host/cli/flags.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"

namespace fastvideo::host {
namespace {

constexpr const char* kAbout = "FastVideo Runtime: videos from text, through plugins";
constexpr const char* kExample =
    "For example:\n"
    "  fastvideo generate --model-path MODEL --prompt \"a red circle moves right\" --output-path video.mp4\n"
    "  fastvideo generate --help     every flag of a video, those of the installed plugins among them\n"
    "  fastvideo plugins             what is installed";

// The flags of a request and of items belong to the commands that make or explain a video; all others to the program.
bool is_of_request(const SettingSpec& spec) { return !spec.owner.empty() || spec.path.starts_with("request."); }

std::string help_of(const OptionSpec& option) {
  std::string notes = option.allowed();
  if (!option.default_value.empty()) notes += "; default: " + option.default_value.to_toml();
  if (!option.variable.empty()) notes += "; variable: " + option.variable;
  return printable(option.help + " (" + notes + ")");
}

const char* type_word(OptionType type) {
  if (type == OptionType::integer || type == OptionType::seed) return "INT";
  return type == OptionType::number ? "NUMBER" : "TEXT";
}

// Of the request, but not of a calibration: it makes no video file, and takes several prompts in a way of its own.
bool is_of_one_video(const SettingSpec& spec) {
  return is_of_output(spec.path) || spec.path == "request.prompt" || spec.path == "request.prompt_file";
}

// "--prompt=" as "--prompt" and "": CLI11 would take the next word for its value.
std::vector<std::string> with_empty_values(const std::vector<std::string>& arguments) {
  std::vector<std::string> words;
  for (const std::string& word : arguments) {
    const bool is_empty = word.starts_with("--") && word.find('=') == word.size() - 1;
    words.push_back(is_empty ? word.substr(0, word.size() - 1) : word);
    if (is_empty) words.emplace_back();
  }
  return words;
}

// The words that may be flags, without their values.
std::unordered_set<std::string> flags_in(const std::vector<std::string>& arguments) {
  std::unordered_set<std::string> flags;
  for (const std::string& word : arguments)
    if (word.starts_with('-')) flags.insert(word.substr(0, word.find('=')));
  return flags;
}

// Nobody can tell which of two values is meant.
RequestError given_twice(const std::string& flag, const std::string& one, const std::string& two) {
  return RequestError(flag + " is given twice, as '" + shortened(one) + "' and as '" + shortened(two) +
                      "': leave one out");
}

std::string lower_case(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// The parser, and which of its options stands for which setting.
class Parser {
 public:
  Parser(const Schema& schema, const std::vector<std::string>& arguments) : app_(kAbout, "fastvideo"), schema_(schema) {
    app_.footer(kExample);
    app_.allow_extras();
    app_.add_flag("--version", version_)->description("Print the version");
    app_.add_flag("--print-default-config", default_config_)
        ->description("Print a configuration file with every setting, its meaning and default");
    app_.add_flag("--print-config-reference", config_reference_)
        ->description("Print a page (Markdown) with every setting, those of the installed plugins among them");
    app_.add_flag("--no-progress", no_progress_)->description("Show no progress");
    sets_ = text_option(app_, "--set", "A setting by its path, as in --set attention.default=TORCH_SDPA", "PATH=VALUE");
    text_option(app_, "--config", "Configuration file, in the place of the user's own (variable: FASTVIDEO_CONFIG)",
                "FILE");
    generate_ = command("generate", "Make a video");
    explain_ = command("explain", "Print what generate would run, and why, without running it");
    bench_ = command("bench", "Compare attention backends and caching strategies: seconds, speed-up, quality, memory");
    add_bench_flags();
    add_calibrate();
    plugins_ = command("plugins", "List the plugins that are installed");
    doctor_ = command("doctor", "Print what a bug report needs: versions, hardware, libraries, plugins, settings");
    show_ = plugins_->add_subcommand("show", "Print all that a plugin or one of its items says of itself");
    show_->fallthrough()->allow_extras();
    show_->add_option("NAME", shown_, "Public name, NAME/implementation or id")->required();
    check_ = plugins_->add_subcommand("check", "Check that a plugin keeps the rules of the ABI, in a child process");
    check_->fallthrough()->allow_extras();
    check_->add_option("FOLDER", check_flags_.folder, "The folder that holds its plugin.toml")->required();
    single_option(*check_, "--deadline", check_flags_.deadline,
                  "Seconds that the checks of one item may take (default: 120)")
        ->check(CLI::Range(0.1, 86400.0));
    single_option(*check_, "--item", check_flags_.item,
                  "Check this item alone, counted from 0, in this process: for a debugger")
        ->check(CLI::Range(0, 10000));
    check_->add_flag("--for-program", check_flags_.for_program)->group("");  // of the parent process
    // CLI11 compares each flag with all others: of those of plugins it gets what this command line has.
    const std::unordered_set<std::string> words = flags_in(arguments);
    wants_help_ = words.contains("--help") || words.contains("-h");
    for (const SettingSpec& spec : schema.all())
      if (spec.owner.empty() || words.contains(spec.option.flag)) add_flag(spec);
    if (wants_help_) add_help_of_plugins();
  }

  CommandLine parse(const std::vector<std::string>& arguments) {
    CommandLine line;
    try {
      std::vector<std::string> words = with_empty_values(arguments);
      std::reverse(words.begin(), words.end());
      app_.parse(std::move(words));
    } catch (const CLI::CallForHelp&) {
      line.text = app_.help();
      return line;
    } catch (const CLI::ParseError& e) {
      refuse_extras();  // says more of the same mistake
      throw RequestError(shortened(e.what(), 1000) + "; fastvideo --help lists the flags");
    }
    refuse_extras();
    refuse_flags_of_videos();
    refuse_repeated();
    line.command = chosen();
    line.text = app_.help();
    line.plugin = shown_;
    line.check = check_flags_;
    line.calibrate = calibrated_;
    line.calibrate.prompts = prompts_->results();
    line.no_progress = no_progress_;
    line.bench = bench_flags_;
    line.bench_attention = attention_flags_;
    collect(line.given);
    refuse_contradictions(line.given);
    return line;
  }

 private:
  struct Flag {
    const SettingSpec* spec;
    CLI::App* app;
    CLI::Option* option;
  };

  // An option with one text, which may be given several times; results() has them all.
  static CLI::Option* text_option(CLI::App& app, const std::string& name, const std::string& help, const char* type) {
    CLI::Option* option = app.add_option(
        name, [](const CLI::results_t&) { return true; }, help);
    return option->expected(1)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll)->type_name(type);
  }

  // An option with one text, of which CLI11 would say less if it were given twice.
  template <class T>
  static CLI::Option* single_option(CLI::App& app, const std::string& name, T& to, const std::string& help) {
    return app.add_option(name, to, help)->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }

  CLI::App* command(const char* name, const char* help) {
    CLI::App* app = app_.add_subcommand(name, help);
    app->fallthrough()->allow_extras();
    app->footer("The flags of `fastvideo --help` may stand here too.");
    return app;
  }

  void add_calibrate() {
    calibrate_ = command("calibrate", "Let an item measure on a model the data that it needs for it");
    calibrate_->add_option("ITEM", calibrated_.item, "What measures: teacache, magcache, ...")->required();
    prompts_ = text_option(*calibrate_, "--prompt", "A prompt of a run; may be given several times", "TEXT");
    repeatable_.push_back(prompts_);
    single_option(*calibrate_, "--prompt-file", calibrated_.prompt_file, "File of prompts, one a line")
        ->type_name("FILE");
    single_option(*calibrate_, "--output", calibrated_.output,
                  "The data file to write, .toml or .json as the item reads")
        ->type_name("FILE");
  }

  void add_flag(const SettingSpec& spec) {
    if (spec.option.flag.empty()) return;
    if (!is_of_request(spec)) return add_flag(app_, spec);
    add_flag(*generate_, spec);
    add_flag(*explain_, spec);
    if (!is_of_output(spec.path) && spec.path != "request.prompt_file") add_flag(*bench_, spec);  // it has its own
    if (!is_of_one_video(spec)) add_flag(*calibrate_, spec);
  }

  // The flags of plugins, behind the others in the help of the commands that take them.
  void add_help_of_plugins() {
    const CLI::Formatter formatter;
    std::unordered_set<std::string> told;
    std::string text;
    for (const SettingSpec& spec : schema_.all()) {
      if (spec.owner.empty() || spec.option.flag.empty() || !told.insert(spec.option.flag).second) continue;
      CLI::App alone;
      text += formatter.make_option(add_option(alone, spec.option), false);
    }
    if (text.empty()) return;
    for (CLI::App* app : {generate_, explain_, bench_, calibrate_})
      app->footer("Options of plugins:\n" + text + "\n" + app->get_footer());
  }

  static CLI::Option* add_option(CLI::App& app, const OptionSpec& option) {
    if (option.type == OptionType::boolean) return app.add_flag(option.flag)->description(help_of(option));
    return text_option(app, option.flag, help_of(option), type_word(option.type));
  }

  void add_bench_flags() {
    const auto list = [&](const char* name, std::vector<std::string>& to, const char* type, const char* help) {
      repeatable_.push_back(bench_->add_option(name, to, help)->allow_extra_args(false)->type_name(type));
    };
    const auto text = [&](const char* name, std::string& to, const char* type, const char* help) {
      single_option(*bench_, name, to, help)->type_name(type);
    };
    list("--attention", bench_flags_.attention, "A,B",
         "Backends to compare, as --attention-backend takes them; NAME:option=value sets an option");
    list("--cache", bench_flags_.cache, "A,B",
         "Caching strategies to compare: none, teacache:0.05 (its threshold), taylorseer:interval=4:max_order=2");
    text("--matrix", bench_flags_.matrix, "FILE", "A TOML file of settings, in place of --attention and --cache");
    text("--prompt-file", bench_flags_.prompt_file, "FILE", "Prompts, one a line, in place of --prompt");
    list("--seeds", bench_flags_.seeds, "1,2", "Seeds, in place of --seed (default: 0)");
    text("--repeat", bench_flags_.repeat, "INT", "Timed rounds over all settings (int from 1 to 1000; default: 3)");
    text("--json", bench_flags_.json, "FILE.json", "Write all figures, those of each run among them");
    text("--plot", bench_flags_.plot, "FILE.svg", "Draw speed-up against PSNR");
    text("--side-by-side", bench_flags_.side_by_side, "FILE.mp4", "Write the clips of all settings as one video");

    bench_attention_ =
        bench_->add_subcommand("attention", "Time attention backends on given shapes, beside their errors");
    bench_attention_->fallthrough()->allow_extras();
    const auto attention_list = [&](const char* name, auto& to, const char* type, const char* help) {
      repeatable_.push_back(bench_attention_->add_option(name, to, help)->allow_extra_args(false)->type_name(type));
    };
    const auto attention = [&](const char* name, auto& to, const char* type, const char* help) {
      single_option(*bench_attention_, name, to, help)->type_name(type);
    };
    attention_list("--shape", attention_flags_.shapes, "B,H,L,D",
                   "Shape; B,H,Lq,DxLk for Lk keys; may be given several times");
    attention_list("--backends", attention_flags_.backends, "A,B/impl", "Backends; NAME:option=value sets an option");
    attention("--dtype", attention_flags_.dtype, "TYPE",
              "float32, bfloat16 or float16 (default: bfloat16 on CUDA, float32 on the CPU)");
    attention("--repeat", attention_flags_.repeat, "INT", "Timed runs of each (int from 1 to 10000; default: 10)");
    attention("--json", attention_flags_.json, "FILE.json", "Write every time");
  }

  void add_flag(CLI::App& app, const SettingSpec& spec) {
    const std::string& name = spec.option.flag;
    const bool is_known = std::any_of(flags_.begin(), flags_.end(),
                                      [&](const Flag& f) { return f.app == &app && f.spec->option.flag == name; });
    if (is_known) return;  // another item that declares the same setting
    CLI::Option* option = add_option(app, spec.option);
    if (spec.option.type == OptionType::strings) repeatable_.push_back(option);
    if (spec.path == "attention.backend") repeatable_.push_back(option);              // one a role, looked at below
    if (!spec.owner.empty()) option->group(wants_help_ ? "" : "Options of plugins");  // see add_help_of_plugins
    flags_.push_back({&spec, &app, option});
  }

  void collect(std::vector<Given>& given) const {
    for (const Flag& flag : flags_) {
      if (flag.option->count() == 0) continue;
      for (const std::string& text : flag.option->results()) {
        if (flag.spec->path == "attention.backend")
          given.push_back(parse_attention_backend(text));
        else
          given.push_back({flag.spec->path, text, Source::command_line(flag.spec->option.flag), true});
      }
    }
    for (const std::string& text : sets_->results()) given.push_back(parse_set(text));
  }

  CommandLine::Command chosen() const {
    using Command = CommandLine::Command;
    if (version_) return Command::version;
    if (default_config_) return Command::print_default_config;
    if (config_reference_) return Command::print_config_reference;
    if (generate_->parsed()) return Command::generate;
    if (explain_->parsed()) return Command::explain;
    if (bench_attention_->parsed()) return Command::bench_attention;
    if (bench_->parsed()) return Command::bench;
    if (calibrate_->parsed()) return Command::calibrate;
    if (show_->parsed()) return Command::show_plugin;
    if (check_->parsed()) return Command::check_plugin;
    if (doctor_->parsed()) return Command::doctor;
    if (plugins_->parsed()) return Command::list_plugins;
    return Command::help;
  }

  // What nothing knows is refused, the unknown flags before the words that may have been their values.
  void refuse_extras() const {
    const std::vector<std::string> extras = app_.remaining(true);
    for (const std::string& word : extras) {
      if (!word.starts_with('-')) continue;
      const std::string flag = word.substr(0, word.find('='));
      const std::string nearest = did_you_mean(flag, known_flags());
      throw RequestError("there is no flag " + shortened(flag) +
                         (nearest.empty() ? "; fastvideo --help lists the flags" : nearest));
    }
    if (extras.empty()) return;
    if (app_.get_subcommands().empty()) {
      const std::string nearest = did_you_mean(
          extras.front(), std::vector<std::string>{"generate", "explain", "bench", "calibrate", "plugins", "doctor"});
      throw RequestError("there is no command '" + shortened(extras.front()) + "'" +
                         (nearest.empty() ? "; fastvideo --help lists the commands" : nearest));
    }
    refuse_unknown_subcommand(extras.front());
    throw RequestError("'" + shortened(extras.front()) +
                       "' is one word too many; a text of several words is put in quotes");
  }

  // A command that has commands of its own, and was given another word.
  void refuse_unknown_subcommand(const std::string& word) const {
    const CLI::App* const given = app_.get_subcommands().back();
    if (!given->get_subcommands().empty()) return;
    std::vector<std::string> names;
    for (const CLI::App* one : given->get_subcommands([](const CLI::App*) { return true; }))
      names.push_back(one->get_name());
    if (names.empty()) return;
    std::string text =
        "`" + given->get_name() + "` has no command '" + shortened(word) + "'" + did_you_mean(word, names);
    text += "; it has ";
    for (const std::string& name : names) text += (name == names.front() ? "" : ", ") + name;
    if (given == plugins_)
      text +=
          ". A plugin is installed by copying its folder into lib/fastvideo/plugins of the installation, and used from "
          "where it is with --plugin-dir FOLDER or FASTVIDEO_PLUGIN_PATH";
    throw RequestError(text);
  }

  // `bench attention` makes no video: what is a flag of `bench` would have no effect.
  void refuse_flags_of_videos() const {
    if (!bench_attention_->parsed()) return;
    for (const CLI::Option* option : bench_->get_options())
      if (option->count() > 0)
        throw RequestError(option->get_name() + " is a flag of `bench` and not of `bench attention`");
  }

  void refuse_repeated() const {
    for (const CLI::App* app : {&app_, static_cast<const CLI::App*>(generate_), static_cast<const CLI::App*>(explain_),
                                static_cast<const CLI::App*>(bench_), static_cast<const CLI::App*>(bench_attention_),
                                static_cast<const CLI::App*>(calibrate_), static_cast<const CLI::App*>(check_)})
      for (const CLI::Option* option : app->get_options()) {
        const CLI::results_t& values = option->results();
        const bool is_switch = option->get_expected_max() == 0;
        if (values.size() < 2 || (is_switch && std::count(values.begin(), values.end(), values.front()) ==
                                                   static_cast<ptrdiff_t>(values.size())))
          continue;
        if (option == sets_ || std::find(repeatable_.begin(), repeatable_.end(), option) != repeatable_.end()) continue;
        throw given_twice(option->get_name(), values[0], values[1]);
      }
  }

  // One setting twice by --set, or one role twice by --attention-backend. (--set outranks the flag of a setting.)
  void refuse_contradictions(const std::vector<Given>& given) const {
    std::map<std::pair<std::string, std::string>, const Given*> first;
    for (const Given& one : given) {
      const std::string path = lower_case(one.path), flag = one.source.describe();
      const auto [place, fresh] = first.try_emplace({path, flag}, &one);
      if (fresh) continue;
      const auto is_list = [&](const SettingSpec& spec) {
        return spec.option.type == OptionType::strings && lower_case(spec.path) == path;
      };
      if (std::any_of(schema_.all().begin(), schema_.all().end(), is_list)) continue;
      const auto text = [](const Given& value) {
        return value.value.type() == FV_VALUE_STRING ? value.value.string() : value.value.to_toml();
      };
      const std::string earlier = text(*place->second), later = text(one);
      if (earlier == later && later == "true") continue;  // a switch
      throw given_twice(flag, earlier, later);
    }
  }

  std::vector<std::string> known_flags() const {
    std::vector<std::string> known;
    for (const CLI::App* app : {&app_, static_cast<const CLI::App*>(generate_), static_cast<const CLI::App*>(bench_),
                                static_cast<const CLI::App*>(calibrate_)})
      for (const CLI::Option* option : app->get_options())
        for (const std::string& name : option->get_lnames()) known.push_back("--" + name);
    for (const SettingSpec& spec : schema_.all())
      if (!spec.owner.empty() && !spec.option.flag.empty()) known.push_back(spec.option.flag);
    return known;
  }

  CLI::App app_;
  CLI::App* generate_ = nullptr;
  CLI::App* explain_ = nullptr;
  CLI::App* bench_ = nullptr;
  CLI::App* bench_attention_ = nullptr;
  CLI::App* calibrate_ = nullptr;
  CLI::App* plugins_ = nullptr;
  CLI::App* show_ = nullptr;
  CLI::App* check_ = nullptr;
  CLI::App* doctor_ = nullptr;
  CLI::Option* sets_ = nullptr;
  bool wants_help_ = false;
  bool version_ = false;
  bool default_config_ = false;
  bool config_reference_ = false;
  bool no_progress_ = false;
  std::string shown_;
  CheckFlags check_flags_;
  BenchFlags bench_flags_;
  AttentionBenchFlags attention_flags_;
  CalibrateFlags calibrated_;
  CLI::Option* prompts_ = nullptr;
  std::vector<Flag> flags_;
  std::vector<const CLI::Option*> repeatable_;
  const Schema& schema_;
};

}  // namespace

CommandLine parse_command_line(const std::vector<std::string>& arguments, const Schema& schema) {
  return Parser(schema, arguments).parse(arguments);
}

}  // namespace fastvideo::host
