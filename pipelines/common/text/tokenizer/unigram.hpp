// The unigram language model of SentencePiece (Kudo 2018, arXiv 1804.10959): a word's best split into pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "pipelines/common/text/tokenizer/prefix_table.hpp"

namespace fastvideo {

/// A piece with the logarithm of its probability; its id is its place.
struct UnigramPiece {
  std::string text;
  double score = 0;
};

/// Splits as Hugging Face's tokenizers do: every piece may be in a split, control pieces too; characters without a
/// piece score 10 less than the worst piece, and a run of them is one unknown token. Threads: any.
class Unigram {
 public:
  Unigram() = default;
  /// unk_id is the id of a piece. byte_fallback: unknown characters become their bytes "<0x41>" where all are pieces.
  Unigram(const std::vector<UnigramPiece>& pieces, int64_t unk_id, bool byte_fallback);

  /// Appends the ids of a UTF-8 text's best split. Time and memory: proportional to its length.
  void append(std::string_view text, std::vector<int64_t>& ids) const;

  /// The id of a piece, -1 for none.
  int64_t find(std::string_view piece) const { return table_.find(piece); }
  int64_t size() const { return static_cast<int64_t>(scores_.size()); }

 private:
  void append_run(std::string_view text, std::vector<int64_t>& ids) const;

  PrefixTable table_;
  std::vector<double> scores_;
  int64_t unk_id_ = 0;
  double unk_score_ = 0;
  bool byte_fallback_ = false;
};

}  // namespace fastvideo
