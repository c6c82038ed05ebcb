#include "host/plugins/preflight.hpp"

#include <elf.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fastvideo/input_file.hpp>
#include <optional>

#include "host/config/paths.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

// An ELF file, read piece by piece; every piece is checked against the file's end.
class ElfFile {
 public:
  explicit ElfFile(const std::string& name) : name_(name), file_(name), size_(file_.bytes()) { read_headers(); }

  SharedObject contents() const {
    SharedObject out;
    std::optional<uint64_t> strings, symbols, gnu_hash, hash;
    uint64_t string_bytes = 0;
    std::vector<uint64_t> needed, paths;
    for (const Elf64_Dyn& entry : dynamic_) {
      const uint64_t value = entry.d_un.d_val;
      if (entry.d_tag == DT_NULL) break;
      if (entry.d_tag == DT_NEEDED) needed.push_back(value);
      if (entry.d_tag == DT_RPATH || entry.d_tag == DT_RUNPATH) paths.push_back(value);
      if (entry.d_tag == DT_STRTAB) strings = offset_of(value);
      if (entry.d_tag == DT_STRSZ) string_bytes = value;
      if (entry.d_tag == DT_SYMTAB) symbols = offset_of(value);
      if (entry.d_tag == DT_GNU_HASH) gnu_hash = offset_of(value);
      if (entry.d_tag == DT_HASH) hash = offset_of(value);
    }
    if (!strings || !symbols) throw refuse("is damaged: its dynamic section has no symbols");
    const std::vector<char> text = read<char>(*strings, string_bytes);
    const auto name_at = [&](uint64_t at) {
      const auto begin = text.begin() + static_cast<ptrdiff_t>(std::min<uint64_t>(at, text.size()));
      const auto end = std::find(begin, text.end(), '\0');
      if (end == text.end()) throw refuse("is damaged: a name lies outside of its table");
      return std::string(begin, end);
    };
    for (const uint64_t at : needed) out.needed.push_back(name_at(at));
    for (const uint64_t at : paths) add_search_path(name_at(at), out.search_path);
    const uint64_t count = gnu_hash ? count_by_gnu_hash(*gnu_hash) : hash ? read<uint32_t>(*hash, 2)[1] : 0;
    for (const Elf64_Sym& symbol : read<Elf64_Sym>(*symbols, count)) {
      const bool seen =
          ELF64_ST_BIND(symbol.st_info) != STB_LOCAL && ELF64_ST_VISIBILITY(symbol.st_other) != STV_HIDDEN;
      if (seen && symbol.st_shndx != SHN_UNDEF) out.exports.push_back(name_at(symbol.st_name));
    }
    return out;
  }

 private:
  // "$ORIGIN/../lib:/opt/lib" as folders
  void add_search_path(const std::string& list, std::vector<std::filesystem::path>& folders) const {
    const std::string origin = absolute_path(name_).parent_path().string();
    for (std::string& part : split(list, ':')) {
      for (const std::string_view token : {"$ORIGIN", "${ORIGIN}"})
        if (const size_t at = part.find(token); at != std::string::npos) part.replace(at, token.size(), origin);
      folders.emplace_back(std::move(part));
    }
  }

  RequestError refuse(const std::string& what) const { return RequestError(name_ + ": " + what); }

  template <class T>
  std::vector<T> read(uint64_t offset, uint64_t count) const {
    if (offset > size_ || count > (size_ - offset) / sizeof(T))
      throw refuse("is truncated: has " + std::to_string(size_) + " bytes, a table ends behind them; copy it again");
    std::vector<T> out(count);
    file_.read(out.data(), count * sizeof(T), offset);
    return out;
  }

  void read_headers() {
    if (size_ < sizeof(Elf64_Ehdr)) throw refuse("is no shared library (" + std::to_string(size_) + " bytes)");
    const Elf64_Ehdr header = read<Elf64_Ehdr>(0, 1)[0];
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) throw refuse("is no shared library (not an ELF file)");
    if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
        header.e_machine != EM_X86_64)
      throw refuse("is built for another machine (ELF machine " + std::to_string(header.e_machine) +
                   "), this host is x86-64");
    if (header.e_type != ET_DYN) throw refuse("is no shared library (ELF type " + std::to_string(header.e_type) + ")");
    if (header.e_phentsize != sizeof(Elf64_Phdr)) throw refuse("is damaged: unknown size of program headers");
    segments_ = read<Elf64_Phdr>(header.e_phoff, header.e_phnum);
    for (const Elf64_Phdr& segment : segments_) {
      // The loader maps segments; touching a page behind the file's end would be a SIGBUS inside dlopen.
      if (segment.p_type == PT_LOAD && (segment.p_offset > size_ || segment.p_filesz > size_ - segment.p_offset))
        throw refuse("is truncated: has " + std::to_string(size_) + " bytes, a segment ends at " +
                     std::to_string(segment.p_offset + segment.p_filesz) + "; copy it again");
      if (segment.p_type == PT_DYNAMIC)
        dynamic_ = read<Elf64_Dyn>(segment.p_offset, segment.p_filesz / sizeof(Elf64_Dyn));
    }
    if (dynamic_.empty()) throw refuse("is no shared library (no dynamic section)");
  }

  // Where in the file the byte of an address lies.
  uint64_t offset_of(uint64_t address) const {
    for (const Elf64_Phdr& segment : segments_)
      if (segment.p_type == PT_LOAD && address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
        return segment.p_offset + (address - segment.p_vaddr);
    throw refuse("is damaged: an address lies in no segment");
  }

  // A GNU hash table does not state the number of symbols: the last chain's end tells it.
  uint64_t count_by_gnu_hash(uint64_t at) const {
    const std::vector<uint32_t> header = read<uint32_t>(at, 4);  // buckets, first symbol, bloom words, shift
    const uint64_t buckets_at = at + 16 + uint64_t{8} * header[2];
    const std::vector<uint32_t> buckets = read<uint32_t>(buckets_at, header[0]);
    uint64_t last = buckets.empty() ? 0 : *std::max_element(buckets.begin(), buckets.end());
    if (last < header[1]) return header[1];
    const uint64_t chains_at = buckets_at + uint64_t{4} * header[0];
    while ((read<uint32_t>(chains_at + 4 * (last - header[1]), 1)[0] & 1) == 0) ++last;
    return last + 1;
  }

  std::string name_;
  InputFile file_;
  uint64_t size_;
  std::vector<Elf64_Phdr> segments_;
  std::vector<Elf64_Dyn> dynamic_;
};

}  // namespace

SharedObject read_shared_object(const std::filesystem::path& file) {
  struct stat status {};
  if (stat(file.c_str(), &status) != 0) throw RequestError(file.string() + ": " + std::strerror(errno));
  try {
    return ElfFile(file.string()).contents();
  } catch (const Refused& e) {
    throw RequestError(e.what());
  }
}

}  // namespace fastvideo::host
