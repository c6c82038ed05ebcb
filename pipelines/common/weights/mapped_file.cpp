#include "pipelines/common/weights/mapped_file.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fastvideo/input_file.hpp>
#include <stdexcept>
#include <string>

namespace fastvideo {

MappedFile::MappedFile(const std::filesystem::path& file, uint64_t bytes) : file_(file), size_(bytes) {
  const auto refuse = [&](const std::string& what) { throw Refused(file.string() + ": " + what); };
  InputFile opened(file.string());
  if (opened.bytes() != bytes) refuse("changed its size while it was read");
  void* data = bytes > 0 ? ::mmap(nullptr, bytes, PROT_READ, MAP_PRIVATE, opened.descriptor(), 0) : nullptr;
  if (data == MAP_FAILED) refuse(std::string("cannot be mapped: ") + std::strerror(errno));
  const int descriptor = opened.release();
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
