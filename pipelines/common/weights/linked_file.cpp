#include "pipelines/common/weights/linked_file.hpp"

#include <fastvideo/core.hpp>
#include <string>

namespace fastvideo {
namespace {

/// The name of the repository in whose part of a Hugging Face cache a file lies ("models--OWNER--NAME"); empty if none.
std::string cached_repository(const std::filesystem::path& file) {
  constexpr std::string_view prefix = "models--";
  for (const std::filesystem::path& part : file) {
    std::string name = part.string();
    if (!name.starts_with(prefix)) continue;
    name.erase(0, prefix.size());
    if (const size_t between = name.find("--"); between != std::string::npos) return name.replace(between, 2, "/");
  }
  return {};
}

}  // namespace

bool file_is_there(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::exists(file, error)) return true;
  if (error == std::errc::too_many_symbolic_link_levels) return true;  // reading it says so
  if (!std::filesystem::is_symlink(std::filesystem::symlink_status(file, error))) return false;
  const std::filesystem::path target = std::filesystem::read_symlink(file, error);
  std::string message = file.string() + ": a link to " + target.string();
  message += target.is_relative() ? ", that is " + (file.parent_path() / target).lexically_normal().string() : "";
  message += ", which is not there: ";
  const std::string repository = cached_repository(std::filesystem::absolute(file, error));
  message += repository.empty() ? "copy the file itself to its place, or make the link anew"
                                : "the Hugging Face cache has lost its content; download it again with: hf download " +
                                      repository + " --force-download";
  throw Refused(message);
}

std::string download_advice(const std::filesystem::path& file_or_folder) {
  std::error_code error;
  const std::string repository = cached_repository(std::filesystem::absolute(file_or_folder, error));
  return repository.empty() ? "the download or copy was not completed: fetch the whole folder (hf download OWNER/NAME "
                              "--local-dir FOLDER)"
                            : "the download was not completed; complete it with: hf download " + repository;
}

}  // namespace fastvideo
