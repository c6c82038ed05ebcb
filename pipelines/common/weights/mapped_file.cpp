#include "pipelines/common/weights/mapped_file.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fastvideo/core.hpp>
#include <stdexcept>
#include <string>

namespace fastvideo {

MappedFile::MappedFile(const std::filesystem::path& file, uint64_t bytes) : file_(file), size_(bytes) {
  const auto refuse = [&](const std::string& what) { throw Refused(file.string() + ": " + what); };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) refuse(std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  const bool same_size = ::fstat(descriptor, &status) == 0 && static_cast<uint64_t>(status.st_size) == bytes;
  void* data = same_size && bytes > 0 ? ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, descriptor, 0) : nullptr;
  const int error = errno;
  if (!same_size || data == MAP_FAILED) ::close(descriptor);
  if (!same_size) refuse("changed its size while it was read");
  if (data == MAP_FAILED) refuse(std::string("cannot be mapped: ") + std::strerror(error));
  data_ = static_cast<std::byte*>(data);
  descriptor_ = descriptor;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(data_, size_);
  if (descriptor_ >= 0) ::close(descriptor_);
}

void MappedFile::require_unchanged() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0 || static_cast<uint64_t>(status.st_size) == size_) return;
  throw std::runtime_error(file_.string() + ": had " + std::to_string(size_) + " bytes and has " +
                           std::to_string(status.st_size) +
                           " now: it was changed while it was read; put the whole file back and start again");
}

std::span<const std::byte> MappedFile::bytes(uint64_t begin, uint64_t end) const {
  return {data_ + begin, static_cast<size_t>(end - begin)};
}

void MappedFile::prefetch(uint64_t begin, uint64_t end) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t first = begin / page * page;
  const uint64_t last = std::min(end, size_);
  // Advice only.
  if (first < last) ::madvise(data_ + first, last - first, MADV_WILLNEED);
}

void MappedFile::drop(uint64_t begin, uint64_t end) const {
  const auto page = static_cast<uint64_t>(::sysconf(_SC_PAGESIZE));
  const uint64_t first = (begin + page - 1) / page * page;
  const uint64_t last = end / page * page;
  // Advice only: when the system does not take it, the pages stay until they are needed elsewhere.
  if (first < last) ::madvise(data_ + first, last - first, MADV_DONTNEED);
}

}  // namespace fastvideo
