// A memory-mapped file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace fastvideo {

/// A whole file, mapped read only. If the file is shortened while it is mapped, its pages raise SIGBUS, as with every
/// mapping; the host reports the file's name. Threads: any.
class MappedFile {
 public:
  /// Maps a file of `bytes` bytes. Throws Refused naming the file if it cannot be mapped or has another size.
  MappedFile(const std::filesystem::path& file, uint64_t bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// The bytes [begin, end) of the file, which must lie in it. Valid while the MappedFile lives.
  std::span<const std::byte> bytes(uint64_t begin, uint64_t end) const;

  /// Throws std::runtime_error naming the file if it no longer has the size that it was mapped with: data read from its
  /// last page may then have been zeros.
  void require_unchanged() const;

  /// Makes the system start reading [begin, end), cut to the file's end, without waiting.
  void prefetch(uint64_t begin, uint64_t end) const;

  /// Returns the whole pages of [begin, end) to the system; pages touched again are read again.
  void drop(uint64_t begin, uint64_t end) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace fastvideo
