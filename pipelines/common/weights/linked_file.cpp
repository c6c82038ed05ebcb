#include "pipelines/common/weights/linked_file.hpp"

#include <fastvideo/broken_link.hpp>
#include <fastvideo/core.hpp>
#include <string>

namespace fastvideo {
namespace {

/// The repository ("models--OWNER--NAME") of a file in a Hugging Face cache; empty for other files.
std::string cached_repository(const std::filesystem::path& file) {
  constexpr std::string_view kPrefix = "models--";
  for (const std::filesystem::path& part : file) {
    std::string name = part.string();
    if (!name.starts_with(kPrefix)) continue;
    name.erase(0, kPrefix.size());
    if (const size_t between = name.find("--"); between != std::string::npos) return name.replace(between, 2, "/");
  }
  return {};
}

}  // namespace

bool file_is_there(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::exists(file, error)) return true;
  const std::string link = broken_link(file.string());
  if (link.empty()) return static_cast<bool>(error);  // reading the path reports the error
  const std::string repository = cached_repository(std::filesystem::absolute(file, error));
  throw Refused(file.string() + ": " + link + ": " +
                (repository.empty() ? "copy the file itself to its place, or make the link anew"
                                    : "the Hugging Face cache has lost its content; download it again with: hf "
                                      "download " +
                                          repository + " --force-download"));
}

std::string download_advice(const std::filesystem::path& file_or_folder) {
  std::error_code error;
  const std::string repository = cached_repository(std::filesystem::absolute(file_or_folder, error));
  return repository.empty() ? "the download or copy was not completed: fetch the whole folder (hf download OWNER/NAME "
                              "--local-dir FOLDER)"
                            : "the download was not completed; complete it with: hf download " + repository;
}

}  // namespace fastvideo
