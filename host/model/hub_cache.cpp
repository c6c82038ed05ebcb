#include "host/model/hub_cache.hpp"

#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <fastvideo/input_file.hpp>
#include <optional>
#include <vector>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"
#include "host/error/letter_case.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;

// A ref is a name of 40 digits.
constexpr uint64_t kMostRefBytes = 4096;

bool is_part(std::string_view part) {
  return consists_of(part, [](char c) { return is_of_name(c) || c == '.'; }) && part.front() != '.';
}

// The commit in refs/main; empty if there is none.
std::string commit_of_main(const fs::path& repository) {
  const fs::path file = repository / "refs" / "main";
  std::error_code none;
  if (fs::symlink_status(file, none).type() == fs::file_type::not_found) return "";
  std::string commit = read_input_file(file.string(), kMostRefBytes, "the name of a commit");
  commit.erase(commit.find_last_not_of(" \t\r\n") + 1);
  commit.erase(0, std::min(commit.find_first_not_of(" \t\r\n"), commit.size()));
  return is_part(commit) ? commit : "";
}

std::vector<fs::path> snapshots_of(const fs::path& repository) {
  std::vector<fs::path> found = entries_of(repository / "snapshots");
  std::error_code none;
  std::erase_if(found, [&](const fs::path& entry) { return !fs::is_directory(entry, none); });
  return found;
}

// Python's os.path.join.
std::string joined_path(const std::string& folder, const std::string& name) {
  return folder.empty() || folder.back() == '/' ? folder + name : folder + "/" + name;
}

// The home of a user by name, or of the process's for an empty one; nothing if there is no such user.
std::optional<std::string> home_in_passwd(const std::string& name) {
  passwd entry{}, *found = nullptr;
  std::vector<char> memory(1 << 16);
  const int failed = name.empty() ? getpwuid_r(getuid(), &entry, memory.data(), memory.size(), &found)
                                  : getpwnam_r(name.c_str(), &entry, memory.data(), memory.size(), &found);
  if (failed != 0 || found == nullptr) return std::nullopt;
  return entry.pw_dir;
}

// Python's os.path.expanduser: "~" and "~name" at the beginning.
std::string with_home(const std::string& path, const Environment& environment) {
  if (!path.starts_with('~')) return path;
  const size_t end = std::min(path.find('/'), path.size());
  const char* set = end == 1 ? environment("HOME") : nullptr;
  std::optional<std::string> home = set != nullptr ? set : home_in_passwd(path.substr(1, end - 1));
  if (!home) return path;
  while (home->ends_with('/')) home->pop_back();
  const std::string whole = *home + path.substr(end);
  return whole.empty() ? "/" : whole;
}

// Python's os.path.expandvars: $NAME and ${NAME}; those that are not set stay.
std::string with_variables(const std::string& path, const Environment& environment) {
  const auto is_word = [](char c) { return is_of_name(c) && c != '-'; };
  std::string result;
  for (size_t i = 0; i < path.size();) {
    size_t begin = i + 1, end = begin, after = begin;
    if (path[i] == '$' && begin < path.size() && path[begin] == '{') {
      end = path.find('}', ++begin);
      after = end == std::string::npos ? i : end + 1;
    } else if (path[i] == '$') {
      while (end < path.size() && is_word(path[end])) ++end;
      after = end > begin ? end : i;
    }
    const bool is_reference = path[i] == '$' && after > i;
    const char* value = is_reference ? environment(path.substr(begin, end - begin).c_str()) : nullptr;
    if (value != nullptr)
      result += value;
    else
      result.append(path, i, is_reference ? after - i : 1);
    i = is_reference ? after : i + 1;
  }
  return result;
}

std::string expanded(const std::string& path, const Environment& environment) {
  return with_variables(with_home(path, environment), environment);
}

}  // namespace

bool is_repository_name(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && is_part(text.substr(0, slash)) && is_part(text.substr(slash + 1));
}

fs::path hub_cache_folder(const Environment& environment) {
  const auto value = [&](const char* variable, const std::string& unset) {
    const char* text = environment(variable);
    return text != nullptr ? std::string(text) : unset;
  };
  const std::string base = value("XDG_CACHE_HOME", joined_path(with_home("~", environment), ".cache"));
  const std::string home = expanded(value("HF_HOME", joined_path(base, "huggingface")), environment);
  return expanded(value("HF_HUB_CACHE", value("HUGGINGFACE_HUB_CACHE", joined_path(home, "hub"))), environment);
}

fs::path downloaded_snapshot(const std::string& repository, const fs::path& cache) {
  const std::string remedy = "; download it with: hf download " + repository;
  std::string name = "models--" + repository;
  name.replace(name.find('/'), 1, "--");
  const fs::path folder = cache / name;
  const std::vector<fs::path> snapshots = snapshots_of(folder);
  if (snapshots.empty())
    throw RequestError("there is no folder " + repository + ", and the Hugging Face cache " + cache.string() +
                       " holds no model of that name" + remedy);

  const std::string commit = commit_of_main(folder);
  if (commit.empty() && snapshots.size() > 1)
    throw RequestError("the Hugging Face cache " + cache.string() + " holds " + std::to_string(snapshots.size()) +
                       " revisions of " + repository + ", and none of them is main: give the folder of one, as " +
                       snapshots.front().string() + ", or" + remedy.substr(1));
  const fs::path snapshot = commit.empty() ? snapshots.front() : folder / "snapshots" / commit;
  std::error_code failure;
  fs::path real = fs::canonical(snapshot, failure);
  if (failure || fs::symlink_status(real / "model_index.json", failure).type() == fs::file_type::not_found)
    throw RequestError(snapshot.string() + ", the download of " + repository +
                       ", has no model_index.json: it is not complete, or no model in diffusers format" + remedy);
  return real;
}

}  // namespace fastvideo::host
