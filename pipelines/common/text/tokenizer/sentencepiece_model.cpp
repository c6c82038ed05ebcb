#include "pipelines/common/text/tokenizer/sentencepiece_model.hpp"

#include <cstring>
#include <fastvideo/core.hpp>
#include <string_view>

namespace fastvideo {
namespace {

// Field numbers of sentencepiece_model.proto.
enum ModelField : uint32_t { kModelPieces = 1, kModelTrainerSpec = 2, kModelNormalizerSpec = 3 };
enum PieceField : uint32_t { kPieceText = 1, kPieceScore = 2, kPieceType = 3 };
enum TrainerField : uint32_t {
  kTrainerModelType = 3,
  kTrainerVocabSize = 4,
  kTrainerByteFallback = 35,
  kTrainerUnkId = 40,
  kTrainerBosId = 41,
  kTrainerEosId = 42,
  kTrainerPadId = 43,
};
enum NormalizerField : uint32_t {
  kNormalizerCharsmap = 2,
  kNormalizerAddDummyPrefix = 3,
  kNormalizerRemoveExtraWhitespaces = 4,
};

// TrainerSpec.ModelType.
constexpr uint64_t kUnigram = 1;

// Wire types of protocol buffers.
enum WireType : uint32_t { kWireVarint = 0, kWire64Bits = 1, kWireBytes = 2, kWire32Bits = 5 };

class Writer {
 public:
  void integer(uint32_t field, int64_t value) {
    tag(field, kWireVarint);
    varint(static_cast<uint64_t>(value));
  }
  void number(uint32_t field, float value) {
    tag(field, kWire32Bits);
    uint32_t bits = 0;
    std::memcpy(&bits, &value, sizeof bits);
    for (int i = 0; i < 4; ++i) bytes_ += static_cast<char>(bits >> 8 * i & 0xFF);
  }
  void bytes(uint32_t field, std::string_view value) {
    tag(field, kWireBytes);
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
    if (field.type == kWireVarint) {
      field.number = varint();
      return true;
    }
    if (field.type != kWire64Bits && field.type != kWireBytes && field.type != kWire32Bits) refuse();
    const uint64_t length = field.type == kWireBytes ? varint() : field.type == kWire64Bits ? 8 : 4;
    if (length > bytes_.size()) refuse();
    field.bytes = bytes_.substr(0, length);
    bytes_.remove_prefix(length);
    if (field.type == kWire32Bits)
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
    if (field.is(kPieceText, kWireBytes)) piece.text = field.bytes;
    if (field.is(kPieceType, kWireVarint)) piece.type = static_cast<SentencePieceModel::Type>(field.number);
    if (!field.is(kPieceScore, kWire32Bits)) continue;
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
    message.bytes(kPieceText, piece.text);
    message.number(kPieceScore, piece.score);
    message.integer(kPieceType, static_cast<int64_t>(piece.type));
    out.bytes(kModelPieces, message.str());
  }
  Writer trainer;
  trainer.integer(kTrainerModelType, static_cast<int64_t>(kUnigram));
  trainer.integer(kTrainerVocabSize, static_cast<int64_t>(model.pieces.size()));
  trainer.integer(kTrainerByteFallback, model.byte_fallback ? 1 : 0);
  trainer.integer(kTrainerUnkId, model.unk_id);
  trainer.integer(kTrainerBosId, -1);
  trainer.integer(kTrainerEosId, 1);
  trainer.integer(kTrainerPadId, 0);
  out.bytes(kModelTrainerSpec, trainer.str());
  Writer normalizer;
  normalizer.bytes(kNormalizerCharsmap, model.precompiled_charsmap);
  normalizer.integer(kNormalizerAddDummyPrefix, model.add_dummy_prefix ? 1 : 0);
  normalizer.integer(kNormalizerRemoveExtraWhitespaces, 1);
  out.bytes(kModelNormalizerSpec, normalizer.str());
  return out.str();
}

SentencePieceModel parse_sentencepiece_model(const std::string& bytes, const std::string& name) {
  SentencePieceModel model;
  uint64_t kind = kUnigram;
  Reader reader(bytes, name);
  for (Reader::Field field; reader.next(field);) {
    if (field.is(kModelPieces, kWireBytes)) {
      model.pieces.push_back(read_piece(field.bytes, name));
    } else if (field.is(kModelTrainerSpec, kWireBytes)) {
      Reader trainer(field.bytes, name);
      for (Reader::Field inner; trainer.next(inner);)
        if (inner.is(kTrainerModelType, kWireVarint)) kind = inner.number;
    } else if (field.is(kModelNormalizerSpec, kWireBytes)) {
      Reader normalizer(field.bytes, name);
      for (Reader::Field inner; normalizer.next(inner);)
        if (inner.is(kNormalizerCharsmap, kWireBytes)) model.precompiled_charsmap = inner.bytes;
    }
  }
  if (model.pieces.empty()) throw Refused(name + ": a sentencepiece model without pieces; is the file complete?");
  if (kind != kUnigram)
    throw Refused(name + ": a sentencepiece model of type " + std::to_string(kind) + ": a T5 tokenizer is unigram (" +
                  std::to_string(kUnigram) + ")");
  return model;
}

}  // namespace fastvideo
