#include "pipelines/common/text/tokenizer/charsmap.hpp"

#include <utf8proc.h>

#include <cstdint>
#include <fastvideo/core.hpp>
#include <utility>

#include "pipelines/common/text/tokenizer/utf8.hpp"

namespace fastvideo {
namespace {

// Darts-clone's units: bit 31 marks a leaf, bit 8 a node that has a leaf, bits 10 to 30 are the offset of the node's
// children, 256 times as far with bit 9.
constexpr uint32_t kLeafBit = 0x80000000U;
constexpr uint32_t kHasLeafBit = 0x100U;
constexpr uint32_t kLabelBits = kLeafBit | 0xFFU;
constexpr size_t kUnitBytes = 4;

size_t children_of(uint32_t unit) { return size_t{unit >> 10} << ((unit & 0x200U) >> 6); }

uint32_t read_unit(const std::string& bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = kUnitBytes; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return value;
}

bool is_utf8(std::string_view text) {
  try {
    static_cast<void>(decode_utf8(text));
    return true;
  } catch (const Refused&) {
    return false;
  }
}

}  // namespace

Charsmap::Charsmap(std::string bytes, const std::string& name) : bytes_(std::move(bytes)) {
  if (bytes_.empty()) return;
  const auto refuse = [&] {
    throw Refused(name + ": the precompiled_charsmap is damaged; copy or download the file again");
  };
  constexpr size_t kBlockUnits = 256;
  if (bytes_.size() < kUnitBytes) refuse();
  const size_t trie_bytes = read_unit(bytes_, 0);
  const size_t units = trie_bytes / kUnitBytes;
  if (trie_bytes > bytes_.size() - kUnitBytes || trie_bytes % (kUnitBytes * kBlockUnits) != 0 || units == 0) refuse();
  replacements_ = kUnitBytes + trie_bytes;
  const std::string_view replacements = std::string_view(bytes_).substr(replacements_);
  if (replacements.empty() || replacements.back() != '\0' || !is_utf8(replacements)) refuse();
  for (size_t i = 0; i < units; ++i) {
    if ((unit(i) & kLeafBit) != 0) {  // the leaf's value: where the replacement begins
      const size_t begin = unit(i) & ~kLeafBit;
      if (begin >= replacements.size() || (static_cast<unsigned char>(replacements[begin]) & 0xC0U) == 0x80) refuse();
      continue;
    }
    const size_t child = i ^ children_of(unit(i));
    if ((child | (kBlockUnits - 1)) >= units) refuse();  // a label changes the low eight bits
    if ((unit(i) & kHasLeafBit) != 0 && (unit(child) & kLeafBit) == 0) refuse();
  }
}

uint32_t Charsmap::unit(size_t i) const { return read_unit(bytes_, kUnitBytes + i * kUnitBytes); }

bool Charsmap::apply(std::string_view text, std::string& result) const {
  size_t node = children_of(unit(0));
  for (const char c : text) {
    const auto label = static_cast<unsigned char>(c);
    if (label == 0) return false;
    node ^= label;
    const uint32_t found = unit(node);
    if ((found & kLabelBits) != label) return false;
    node ^= children_of(found);
    if ((found & kHasLeafBit) == 0) continue;
    result += bytes_.c_str() + replacements_ + (unit(node) & ~kLeafBit);
    return true;
  }
  return false;
}

std::string Charsmap::normalize(std::string_view text) const {
  if (empty()) return std::string(text);
  constexpr size_t kLongestWhole = 5;
  const std::u32string characters = decode_utf8(text);
  std::string result;
  utf8proc_int32_t state = 0;
  for (size_t i = 0; i < characters.size();) {
    std::string grapheme;
    size_t end = i;
    do {
      append_utf8(grapheme, characters[end++]);
    } while (end < characters.size() &&
             utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(characters[end - 1]),
                                              static_cast<utf8proc_int32_t>(characters[end]), &state) == 0);
    if (grapheme.size() > kLongestWhole || !apply(grapheme, result)) {
      for (size_t k = i; k < end; ++k) {
        std::string one;
        append_utf8(one, characters[k]);
        if (!apply(one, result)) result += one;
      }
    }
    i = end;
  }
  return result;
}

}  // namespace fastvideo
