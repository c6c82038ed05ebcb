#include "pipelines/common/tokenizer/sentencepiece_model.hpp"

#include <cstring>
#include <fastvideo/core.hpp>
#include <limits>
#include <string_view>

namespace fastvideo {
namespace {

// Field numbers of sentencepiece_model.proto.
enum ModelField : uint32_t { model_pieces = 1, model_trainer_spec = 2, model_normalizer_spec = 3 };
enum PieceField : uint32_t { piece_text = 1, piece_score = 2, piece_type = 3 };
enum TrainerField : uint32_t {
  trainer_model_type = 3,
  trainer_vocab_size = 4,
  trainer_byte_fallback = 35,
  trainer_unk_id = 40,
  trainer_bos_id = 41,
  trainer_eos_id = 42,
  trainer_pad_id = 43,
};
enum NormalizerField : uint32_t {
  normalizer_charsmap = 2,
  normalizer_add_dummy_prefix = 3,
  normalizer_remove_extra_whitespaces = 4,
};

// Wire types of protocol buffers.
enum WireType : uint32_t { wire_varint = 0, wire_64_bits = 1, wire_bytes = 2, wire_32_bits = 5 };

class Writer {
 public:
  void integer(uint32_t field, int64_t value) {
    tag(field, wire_varint);
    varint(static_cast<uint64_t>(value));
  }
  void number(uint32_t field, float value) {
    tag(field, wire_32_bits);
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> 8 * i & 0xFF);
  }
  void bytes(uint32_t field, std::string_view value) {
    tag(field, wire_bytes);
    varint(value.size());
    bytes_ += value;
  }
  const std::string& str() const { return bytes_; }

 private:
  void tag(uint32_t field, WireType type) { varint(uint64_t{field} << 3 | type); }
  void varint(uint64_t value) {
    for (; value >= 0x80; value >>= 7) bytes_ += static_cast<char>((value & 0x7F) | 0x80);
    bytes_ += static_cast<char>(value);
  }

  std::string bytes_;
};

/// Walks the fields of one message.
class Reader {
 public:
  Reader(std::string_view bytes, const std::string& name) : bytes_(bytes), name_(name) {}

  /// The last value of a field of bytes; empty if there is none.
  std::string_view find(uint32_t wanted) {
    std::string_view found;
    while (!bytes_.empty()) {
      const uint64_t tag = varint();
      const std::string_view value = skip(static_cast<uint32_t>(tag & 7));
      if (tag >> 3 == wanted && (tag & 7) == wire_bytes) found = value;
    }
    return found;
  }

 private:
  [[noreturn]] void refuse() const { throw Refused(name_ + ": not a sentencepiece model, or a damaged one"); }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (bytes_.empty()) refuse();
      const auto byte = static_cast<unsigned char>(bytes_.front());
      bytes_.remove_prefix(1);
      value |= uint64_t{byte & 0x7FU} << shift;
      if (byte < 0x80) return value;
    }
    refuse();
  }

  std::string_view skip(uint32_t type) {
    if (type == wire_varint) return varint(), std::string_view{};
    if (type != wire_64_bits && type != wire_bytes && type != wire_32_bits) refuse();
    const uint64_t length = type == wire_bytes ? varint() : type == wire_64_bits ? 8 : 4;
    if (length > bytes_.size()) refuse();
    const std::string_view value = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    return value;
  }

  std::string_view bytes_;
  const std::string& name_;
};

uint32_t read_u32(const std::string& bytes, size_t offset) {
  uint32_t value = 0;
  for (size_t i = 4; i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[offset + i]);
  return value;
}

}  // namespace

std::string serialize(const SentencePieceModel& model) {
  Writer out;
  for (const SentencePieceModel::Piece& piece : model.pieces) {
    Writer message;
    message.bytes(piece_text, piece.text);
    message.number(piece_score, piece.score);
    message.integer(piece_type, static_cast<int64_t>(piece.type));
    out.bytes(model_pieces, message.str());
  }
  Writer trainer;
  constexpr int64_t unigram = 1;
  trainer.integer(trainer_model_type, unigram);
  trainer.integer(trainer_vocab_size, static_cast<int64_t>(model.pieces.size()));
  trainer.integer(trainer_byte_fallback, model.byte_fallback ? 1 : 0);
  trainer.integer(trainer_unk_id, model.unk_id);
  trainer.integer(trainer_bos_id, -1);
  trainer.integer(trainer_eos_id, 1);
  trainer.integer(trainer_pad_id, 0);
  out.bytes(model_trainer_spec, trainer.str());
  Writer normalizer;
  normalizer.bytes(normalizer_charsmap, model.precompiled_charsmap);
  normalizer.integer(normalizer_add_dummy_prefix, model.add_dummy_prefix ? 1 : 0);
  normalizer.integer(normalizer_remove_extra_whitespaces, 1);
  out.bytes(model_normalizer_spec, normalizer.str());
  return out.str();
}

void check_precompiled_charsmap(const std::string& charsmap, const std::string& name) {
  if (charsmap.empty()) return;
  const auto refuse = [&] { throw Refused(name + ": the precompiled_charsmap is damaged"); };
  constexpr size_t unit_bytes = 4;
  constexpr size_t block_units = 256;
  if (charsmap.size() < unit_bytes) refuse();
  const size_t trie_bytes = read_u32(charsmap, 0);
  const size_t units = trie_bytes / unit_bytes;
  if (trie_bytes > charsmap.size() - unit_bytes || trie_bytes % (unit_bytes * block_units) != 0 || units == 0) refuse();
  const std::string_view replacements = std::string_view(charsmap).substr(unit_bytes + trie_bytes);
  if (replacements.empty() || replacements.back() != '\0') refuse();
  // Darts-clone's units: bit 31 marks a leaf, bit 8 a node that has one, bits 10 to 30 are the offset of its children.
  constexpr uint32_t leaf = 0x80000000U;
  const auto unit_at = [&](size_t i) { return read_u32(charsmap, unit_bytes + i * unit_bytes); };
  for (size_t i = 0; i < units; ++i) {
    const uint32_t unit = unit_at(i);
    if ((unit & leaf) != 0) {  // where its replacement begins
      if ((unit & ~leaf) >= replacements.size()) refuse();
      continue;
    }
    const size_t child = i ^ (size_t{unit >> 10} << ((unit & 0x200U) >> 6));
    if ((child | (block_units - 1)) >= units) refuse();  // a label changes the low eight bits
    if ((unit & 0x100U) != 0 && (unit_at(child) & leaf) == 0) refuse();
  }
}

std::string read_precompiled_charsmap(const std::string& model_bytes, const std::string& name) {
  const std::string_view normalizer = Reader(model_bytes, name).find(model_normalizer_spec);
  return std::string(Reader(normalizer, name).find(normalizer_charsmap));
}

}  // namespace fastvideo
