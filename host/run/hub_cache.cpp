#include "host/run/hub_cache.hpp"

#include <algorithm>
#include <cctype>
#include <fastvideo/input_file.hpp>
#include <vector>

#include "host/error/error.hpp"

namespace fastvideo {
namespace {

namespace fs = std::filesystem;

// A ref is a name of 40 digits.
constexpr uint64_t kMostRefBytes = 4096;

bool is_part(std::string_view part) {
  const auto allowed = [](unsigned char c) {
    return c < 0x80 && (std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-');
  };
  return !part.empty() && part.front() != '.' && std::all_of(part.begin(), part.end(), allowed);
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
  std::vector<fs::path> found;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(repository / "snapshots", none))
    if (entry.is_directory(none)) found.push_back(entry.path());
  return found;
}

}  // namespace

bool is_repository_name(std::string_view text) {
  const size_t slash = text.find('/');
  return slash != std::string_view::npos && is_part(text.substr(0, slash)) && is_part(text.substr(slash + 1));
}

fs::path hub_cache_folder(const Environment& environment) {
  const auto value = [&](const char* variable) {
    const char* text = environment(variable);
    return std::string(text != nullptr ? text : "");
  };
  if (std::string cache = value("HF_HUB_CACHE"); !cache.empty()) return cache;
  if (const std::string home = value("HF_HOME"); !home.empty()) return fs::path(home) / "hub";
  const std::string base = value("XDG_CACHE_HOME");
  return (base.empty() ? fs::path(value("HOME")) / ".cache" : fs::path(base)) / "huggingface" / "hub";
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
                       std::min_element(snapshots.begin(), snapshots.end())->string() + ", or" + remedy.substr(1));
  const fs::path snapshot = commit.empty() ? snapshots.front() : folder / "snapshots" / commit;
  std::error_code failure;
  fs::path real = fs::canonical(snapshot, failure);
  if (failure || fs::symlink_status(real / "model_index.json", failure).type() == fs::file_type::not_found)
    throw RequestError(snapshot.string() + ", the download of " + repository +
                       ", has no model_index.json: it is not complete, or no model in diffusers format" + remedy);
  return real;
}

}  // namespace fastvideo
