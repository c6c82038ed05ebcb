#include "pipelines/common/text/tokenizer/sentencepiece_model.hpp"

#include <cstring>
#include <fastvideo/core.hpp>
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

// TrainerSpec.ModelType.
constexpr uint64_t unigram = 1;

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

  /// A field: number is its value as an integer or the bits of a float, bytes the content of a length-delimited field.
  struct Field {
    uint64_t field = 0;
    uint32_t type = 0;
    uint64_t number = 0;
    std::string_view bytes;
    bool is(uint32_t wanted, WireType wire) const { return field == wanted && type == wire; }
  };

  /// Reads the next field; false at the end.
  bool next(Field& field) {
    if (bytes_.empty()) return false;
    const uint64_t tag = varint();
    field = {tag >> 3, static_cast<uint32_t>(tag & 7), 0, {}};
    if (field.field == 0) refuse();
    if (field.type == wire_varint) {
      field.number = varint();
      return true;
    }
    if (field.type != wire_64_bits && field.type != wire_bytes && field.type != wire_32_bits) refuse();
    const uint64_t length = field.type == wire_bytes ? varint() : field.type == wire_64_bits ? 8 : 4;
    if (length > bytes_.size()) refuse();
    field.bytes = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    if (field.type == wire_32_bits)
      for (size_t i = 4; i-- > 0;) field.number = field.number << 8 | static_cast<unsigned char>(field.bytes[i]);
    return true;
  }

 private:
  [[noreturn]] void refuse() const {
    throw Refused(name_ + ": not a sentencepiece model, or a damaged one; copy or download the file again");
  }

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

  std::string_view bytes_;
  const std::string& name_;
};

SentencePieceModel::Piece read_piece(std::string_view bytes, const std::string& name) {
  SentencePieceModel::Piece piece;
  Reader reader(bytes, name);
  for (Reader::Field field; reader.next(field);) {
    if (field.is(piece_text, wire_bytes)) piece.text = field.bytes;
    if (field.is(piece_type, wire_varint)) piece.type = static_cast<SentencePieceModel::Type>(field.number);
    if (!field.is(piece_score, wire_32_bits)) continue;
    const auto bits = static_cast<uint32_t>(field.number);
    std::memcpy(&piece.score, &bits, sizeof piece.score);
  }
  return piece;
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
  trainer.integer(trainer_model_type, static_cast<int64_t>(unigram));
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

SentencePieceModel parse_sentencepiece_model(const std::string& bytes, const std::string& name) {
  SentencePieceModel model;
  uint64_t kind = unigram;
  Reader reader(bytes, name);
  for (Reader::Field field; reader.next(field);) {
    if (field.is(model_pieces, wire_bytes)) {
      model.pieces.push_back(read_piece(field.bytes, name));
    } else if (field.is(model_trainer_spec, wire_bytes)) {
      Reader trainer(field.bytes, name);
      for (Reader::Field inner; trainer.next(inner);)
        if (inner.is(trainer_model_type, wire_varint)) kind = inner.number;
    } else if (field.is(model_normalizer_spec, wire_bytes)) {
      Reader normalizer(field.bytes, name);
      for (Reader::Field inner; normalizer.next(inner);)
        if (inner.is(normalizer_charsmap, wire_bytes)) model.precompiled_charsmap = inner.bytes;
    }
  }
  if (model.pieces.empty()) throw Refused(name + ": a sentencepiece model without pieces; is the file complete?");
  if (kind != unigram)
    throw Refused(name + ": a sentencepiece model of type " + std::to_string(kind) + ": a T5 tokenizer is unigram (" +
                  std::to_string(unigram) + ")");
  return model;
}

}  // namespace fastvideo
