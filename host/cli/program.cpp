#include "host/cli/program.hpp"

#include <sys/resource.h>

#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstring>
#include <fastvideo/core.hpp>

#include "host/cli/cancellable_run.hpp"
#include "host/cli/command_line.hpp"
#include "host/cli/doctor.hpp"
#include "host/cli/explain.hpp"
#include "host/cli/flags.hpp"
#include "host/cli/generate.hpp"
#include "host/cli/own_installation.hpp"
#include "host/cli/plugin_list.hpp"
#include "host/cli/settings_pages.hpp"
#include "host/cli/standard_output.hpp"
#include "host/console/console_log.hpp"
#include "host/console/text_table.hpp"
#include "host/error/error.hpp"
#include "host/hardware/process_limits.hpp"
#include "host/log/log.hpp"
#include "host/plugins/catalog.hpp"
#include "host/process/crash_note.hpp"
#include "host/process/idle_threads.hpp"
#include "host/process/leftovers.hpp"
#include "host/process/process_start.hpp"
#include "host/process/process_state.hpp"
#include "host/process/signal_guard.hpp"

namespace fastvideo::host {
namespace {

// How the program ends.
enum class ExitCode : int {
  done = 0,
  failed = 1,   // went wrong while running
  refused = 2,  // something impossible was asked for: a RequestError
};

// As shells report a program that was ended by a signal: 130 after Ctrl-C, 143 after SIGTERM.
int cancelled_exit() { return 128 + (cancelling_signal() != 0 ? cancelling_signal() : SIGINT); }

void apply_log_level(const Settings& settings) { set_log_level(parse_log_level(settings.string("log.level"))); }

// Makes or explains the video.
std::string run_request(const CommandLine& line, const Settings& settings, const Catalog& catalog) {
  const HostServices& host = process_services(settings);
  if (line.command == CommandLine::Command::explain) {
    const CallWatch watch = log_hanging_calls(nullptr);
    return explain(settings, catalog, host);
  }
  CancellableRun run;
  const auto style = line.no_progress ? ProgressStyle::none : ProgressStyle::automatic;
  return generate(settings, catalog, host, style, run.cancel);
}

void run(const std::vector<std::string>& arguments, RunTool run_tool) {
  // Plugins say which flags there are, and a few flags and settings say where plugins are.
  const Installation installation = own_installation();
  const EarlyFlags early = read_early_flags(arguments);
  Schema schema = Schema::host();
  const std::vector<std::filesystem::path> found = config_files(installation, early.config);
  std::vector<Given> files = read_config_files(found);
  std::vector<Given> given = files;
  append(given, read_environment(schema));
  append(given, early.given);
  const Settings first = resolve(schema, given, Unknown::keep_out);
  apply_log_level(first);
  const std::vector<SearchFolder> searched = plugin_search_path(first, installation);
  Catalog catalog = Catalog::discover(searched, first.strings("plugins.disable"));
  add_options(schema, catalog);

  CommandLine line;
  try {
    line = parse_command_line(arguments, schema);
  } catch (const RequestError&) {
    warn_of(catalog);  // a flag may be unknown because its item is refused, or disabled
    warn_of_disabled(catalog);
    throw;
  }
  given = std::move(files);
  append(given, read_environment(schema));
  append(given, line.given);
  const Settings settings = resolve(schema, given, Unknown::refuse);
  apply_log_level(settings);

  using Command = CommandLine::Command;
  switch (line.command) {
    case Command::help:
      return print(line.text);
    case Command::version:
      return print("fastvideo " + std::string(host_version()) + "\n");
    case Command::print_default_config:
      return print(default_config(Schema::host()));
    case Command::print_config_reference:
      return print(config_reference(schema));
    case Command::list_plugins:
      warn_of_folders(catalog);
      return print(list_plugins(catalog, searched, settings));
    case Command::show_plugin:
      warn_of_folders(catalog);
      return print(show_plugin(catalog, line.plugin, settings));
    case Command::doctor:
      return print(doctor(settings, schema, catalog, searched, found));
    case Command::generate:
    case Command::explain:
    case Command::bench:
    case Command::bench_attention:
    case Command::check_plugin:
    case Command::calibrate:
      break;
  }
  const ResolveSettings with = [&](const std::vector<Given>& more) {
    std::vector<Given> all = given;
    append(all, more);
    return resolve(schema, all, Unknown::refuse);
  };
  if (line.command != Command::generate && line.command != Command::explain)
    return run_tool({line, arguments, settings, with, catalog});
  warn_of(catalog);
  print(run_request(line, settings, catalog));
}

// Also where there is no memory left to put a message together.
void say_last(const char* what, const char* more = "") noexcept {
  restore_process_state();
  try {
    Console::standard_error().print("fastvideo: " + hanging(std::string(what) + more));
  } catch (...) {
    for (const char* text : {"fastvideo: ", what, more, "\n"}) std::fputs(text, stderr);
  }
}

int complain(ExitCode code, const char* what, const char* more = "") noexcept {
  say_last(what, more);
  return static_cast<int>(code);
}

// `form` with the number of a limit of this process; nothing where there is none. Lasts until the next call.
const char* advice_about(decltype(RLIMIT_NOFILE) resource, const char* form) noexcept {
  static thread_local char text[160];
  rlimit limit = {};
  if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return "";
  std::snprintf(text, sizeof text, form, static_cast<unsigned long long>(limit.rlim_cur));
  return text;
}

// Libraries and the system say in their own words what there is too little of; which limit that is, is to be known.
const char* advice_for(const char* what) noexcept {
  const auto says = [&](const char* words) { return std::strstr(what, words) != nullptr; };
  if (says("Too many open files"))
    return advice_about(RLIMIT_NOFILE, " (this process may have %llu files open, ulimit -n: raise the limit)");
  if (says("cannot start") && says("Resource temporarily unavailable"))
    return advice_about(RLIMIT_NPROC, " (this user may have %llu processes and threads, ulimit -u: raise the limit)");
  if (says("allocate memory") || says("map segment")) return memory_limit_advice();
  if (!says("out of memory")) return "";
  return *memory_limit_advice() != '\0' ? memory_limit_advice()
                                        : "; a smaller or shorter video needs less, and so does --offload all: "
                                          "`fastvideo explain` shows what each stage takes";
}

}  // namespace

int run_program(const std::vector<std::string>& arguments, RunTool run_tool) noexcept {
  try {
    run(arguments, run_tool);
    return static_cast<int>(ExitCode::done);
  } catch (const CancelledError& e) {
    say_last(e.what());
    return cancelled_exit();
  } catch (const RequestError& e) {
    return complain(ExitCode::refused, e.what(), advice_for(e.what()));
  } catch (const Refused& e) {
    return complain(ExitCode::refused, e.what(), advice_for(e.what()));
  } catch (const std::filesystem::filesystem_error& e) {
    const std::string where = e.path1().empty() ? "the working directory" : e.path1().string();
    return complain(ExitCode::refused, (where + ": cannot be used: " + e.code().message()).c_str());
  } catch (const std::bad_alloc&) {
    return complain(ExitCode::failed, "out of memory", advice_for("out of memory"));
  } catch (const std::exception& e) {
    return complain(ExitCode::failed, e.what(), advice_for(e.what()));
  } catch (...) {
    return complain(ExitCode::failed, "an exception that is not a std::exception");
  }
}

const HostServices& process_services(const Settings& settings) {
  // Plugins are never unloaded and may use it until the process ends.
  static const HostServices* const services = new HostServices(settings, required_threads(settings));
  return *services;
}

int program_main(int argc, char** argv, RunTool run_tool) noexcept {
  log_to(Console::standard_error());
  install_crash_notes();  // before other handlers, which take what nobody has taken
  prepare_process();
  let_idle_threads_sleep();
  const int code = run_program({argv + (argc > 0 ? 1 : 0), argv + argc}, run_tool);
  result_is_known();
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // LeakSanitizer looks for leaks in an exit handler
  // The result is told: exit handlers and static destructors of plugins have no say in the exit code.
  std::fflush(nullptr);
  remove_leftovers();
  ::_exit(code);
#endif
  return code;
}

}  // namespace fastvideo::host
