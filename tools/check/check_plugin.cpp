#include "tools/check/check_plugin.hpp"

#include <algorithm>
#include <fastvideo/broken_link.hpp>

#include "host/config/paths.hpp"
#include "host/console/text_table.hpp"
#include "host/error/printable.hpp"
#include "host/plugins/manifest.hpp"
#include "host/process/child_process.hpp"
#include "tools/check/report.hpp"

namespace fastvideo::host::conformance {
namespace {

namespace fs = std::filesystem;
constexpr size_t kQuoted = 300;  // characters of a plugin's output

void require_plugin_folder(const fs::path& folder) {
  std::error_code ignored;
  const std::string link = broken_link(folder.string());
  if (!fs::is_directory(folder, ignored))
    throw RequestError(folder.string() + " " + (link.empty() ? "is no folder" : link) +
                       "; give the folder that holds the plugin.toml");
  if (fs::symlink_status(folder / "plugin.toml", ignored).type() != fs::file_type::not_found) return;
  std::string inside;
  for (const fs::path& entry : entries_of(folder))
    if (fs::exists(entry / "plugin.toml", ignored)) inside += (inside.empty() ? "" : ", ") + entry.filename().string();
  throw RequestError(folder.string() + " holds no plugin.toml" +
                     (inside.empty() ? "" : "; plugins are in its folders " + inside + ": check them one by one"));
}

std::string excerpt(const std::string& text) {
  return "'" + text.substr(0, kQuoted) + (text.size() > kQuoted ? "' and more" : "'");
}

std::string seconds_text(std::chrono::milliseconds time) {
  return std::to_string(static_cast<double>(time.count()) / 1000).substr(0, 5) + " s";
}

// Runs the checks of one item in a child process. If they end early, the cause is one more finding.
std::vector<Finding> check_in_child(const CheckProgram& program, size_t item) {
  std::vector<std::string> arguments = program.arguments;
  arguments.insert(arguments.end(), {"--item", std::to_string(item), "--for-program"});
  ChildProcess child(program.program, arguments);
  const auto status = child.wait(nullptr, program.deadline);
  if (!status) child.kill();
  Report report = read_report(child.output());
  const std::string begun = report.unfinished.empty() ? "all checks" : report.unfinished;
  if (!status)
    report.findings.push_back({begun, Outcome::failed,
                               "hangs: it had not ended after " + seconds_text(program.deadline) +
                                   " and was killed (--deadline gives more)"});
  else if (!status->success() || !report.complete) {
    std::string why = (status->signal != 0 ? "crashed: " : "ended too early: ") + status->describe();
    std::string said = child.error_output();
    said.erase(0, said.find_first_not_of('\n'));
    if (!said.empty()) why += ", " + excerpt(said.substr(said.size() > kQuoted ? said.size() - kQuoted : 0));
    report.findings.push_back({begun, Outcome::failed, why});
  }
  const Outcome quiet = report.stray.empty() ? Outcome::passed : Outcome::failed;
  report.findings.push_back({"writes nothing to standard output", quiet,
                             report.stray.empty() ? "" : "wrote " + excerpt(report.stray) + "; use the host's log"});
  return std::move(report.findings);
}

void add(PluginVerdict& verdict, const std::string& title, const std::vector<Finding>& findings) {
  std::vector<std::vector<std::string>> rows;
  for (const Finding& finding : findings) {
    rows.push_back({finding.check, outcome_text(finding)});
    ++(finding.outcome == Outcome::skipped ? verdict.skipped : verdict.checks);
    if (finding.outcome == Outcome::failed) ++verdict.failed;
  }
  verdict.text += shortened(title, 1000) + "\n" + text_table(rows);
}

}  // namespace

PluginVerdict check_plugin(const fs::path& folder, const CheckProgram& program) {
  require_plugin_folder(folder);
  PluginVerdict verdict;
  Manifest manifest;
  try {
    manifest = read_manifest(absolute_path(folder));
  } catch (const RequestError& e) {
    add(verdict, folder.string(), {{"manifest", Outcome::failed, e.what()}});
    return verdict;
  }
  std::vector<Finding> of_manifest{{"manifest", Outcome::passed, ""}};
  for (const std::string& warning : manifest.warnings) of_manifest.push_back({"manifest", Outcome::failed, warning});
  if (manifest.items.empty()) of_manifest.push_back({"manifest", Outcome::failed, "lists no [[item]]"});
  add(verdict, manifest.id + " " + manifest.version, of_manifest);
  for (size_t i = 0; i < manifest.items.size(); ++i) {
    const Item& item = manifest.items[i];
    const std::string title = item.kind + " " + item.full_name();
    if (item.known_kind())
      add(verdict, title, check_in_child(program, i));
    else
      add(verdict, title, {{"kind", Outcome::skipped, "this host does not know it"}});
  }
  return verdict;
}

}  // namespace fastvideo::host::conformance
