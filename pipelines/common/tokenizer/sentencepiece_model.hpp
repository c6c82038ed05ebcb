// SentencePiece's model file, as far as it is written here: the protocol buffer ModelProto of
// sentencepiece_model.proto.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace fastvideo {

/// A unigram model. Piece i has id i.
struct SentencePieceModel {
  /// What a piece is, with the numbers of sentencepiece_model.proto.
  enum class Type { normal = 1, unknown = 2, control = 3, user_defined = 4, byte = 6 };
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

/// The bytes that SentencePieceProcessor::LoadFromSerializedProto takes.
std::string serialize(const SentencePieceModel& model);

/// Throws Refused if the rules, a double-array trie with the replacements behind it, point outside of themselves:
/// sentencepiece follows them unchecked. name is put in front of the message.
void check_precompiled_charsmap(const std::string& charsmap, const std::string& name);

/// The normalisation rules in the bytes of a model file; empty if there are none. Throws Refused if the bytes are not a
/// protocol buffer.
std::string read_precompiled_charsmap(const std::string& model_bytes, const std::string& name);

}  // namespace fastvideo
