// A file as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace fastvideo {

/// A whole file, mapped read only. A file that somebody shortens while it is mapped kills the process (SIGBUS), as with
/// every mapping. Threads: any.
class MappedFile {
 public:
  /// Maps a file of that many bytes. Throws Refused naming the file if it cannot be, or has another size.
  MappedFile(const std::filesystem::path& file, uint64_t bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Valid while this lives. [begin, end) lies in the file.
  std::span<const std::byte> bytes(uint64_t begin, uint64_t end) const;

  /// Has the system begin to read [begin, end), cut to the file's end, without waiting for it.
  void prefetch(uint64_t begin, uint64_t end) const;

  /// Gives the whole pages of [begin, end) back to the system; touched again, they are read again.
  void drop(uint64_t begin, uint64_t end) const;

 private:
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace fastvideo
