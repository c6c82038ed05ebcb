// A file as memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace fastvideo {

/// A whole file, mapped read only. Pages of a file that somebody shortens while it is mapped raise SIGBUS, as with
/// every mapping, which the host answers with the file's name. Threads: any.
class MappedFile {
 public:
  /// Maps a file of that many bytes. Throws Refused naming the file if it cannot be, or has another size.
  MappedFile(const std::filesystem::path& file, uint64_t bytes);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  /// Valid while this lives. [begin, end) lies in the file.
  std::span<const std::byte> bytes(uint64_t begin, uint64_t end) const;

  /// Throws std::runtime_error naming the file if it no longer has the size that it was mapped with: what was read of
  /// its last page may then have been zeros.
  void require_unchanged() const;

  /// Has the system begin to read [begin, end), cut to the file's end, without waiting for it.
  void prefetch(uint64_t begin, uint64_t end) const;

  /// Gives the whole pages of [begin, end) back to the system; touched again, they are read again.
  void drop(uint64_t begin, uint64_t end) const;

 private:
  std::filesystem::path file_;
  int descriptor_ = -1;
  std::byte* data_ = nullptr;
  uint64_t size_ = 0;
};

}  // namespace fastvideo
