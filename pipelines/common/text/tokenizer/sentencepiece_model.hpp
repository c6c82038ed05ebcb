// SentencePiece's model file, as far as it is used here: the protocol buffer ModelProto of
// sentencepiece_model.proto.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fastvideo {

/// A unigram model. Piece i has id i.
struct SentencePieceModel {
  /// The type of a piece, with the numbers of sentencepiece_model.proto.
  enum class Type : uint64_t { normal = 1, unknown = 2, control = 3, user_defined = 4, byte = 6 };
  struct Piece {
    std::string text;
    float score = 0;
    Type type = Type::normal;
  };

  std::vector<Piece> pieces;
  int64_t unk_id = 2;
  bool byte_fallback = false;
  bool add_dummy_prefix = true;
  std::string precompiled_charsmap;  ///< normalisation rules, empty for none
};

/// The bytes of a model file.
std::string serialize(const SentencePieceModel& model);

/// Pieces and rules of a model file. Throws Refused, beginning with name: no protocol buffer of this kind, no pieces,
/// another model than unigram. The rules are not checked here but by Charsmap.
SentencePieceModel parse_sentencepiece_model(const std::string& bytes, const std::string& name);

}  // namespace fastvideo
