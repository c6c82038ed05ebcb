#include "pipelines/common/text/tokenizer/unigram.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <limits>
#include <utility>

namespace fastvideo {
namespace {

size_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

Unigram::Unigram(const std::vector<UnigramPiece>& pieces, int64_t unk_id, bool byte_fallback)
    : unk_id_(unk_id), byte_fallback_(byte_fallback) {
  std::vector<std::pair<std::string, int32_t>> keys;
  keys.reserve(pieces.size());
  scores_.reserve(pieces.size());
  double least = std::numeric_limits<double>::infinity();
  for (const UnigramPiece& piece : pieces) {
    if (!piece.text.empty()) keys.emplace_back(piece.text, static_cast<int32_t>(scores_.size()));
    scores_.push_back(piece.score);
    least = std::min(least, piece.score);
  }
  table_ = PrefixTable(std::move(keys));
  constexpr double kUnknownPenalty = 10;
  unk_score_ = least - kUnknownPenalty;
}

void Unigram::append(std::string_view text, std::vector<int64_t>& ids) const {
  struct Node {
    double score = 0;
    size_t begin = 0;
    int64_t id = -1;  // -1: nothing ends here
  };
  std::vector<Node> best(text.size() + 1);
  const auto offer = [&](size_t begin, size_t end, int64_t id, double score) {
    Node& node = best[end];
    if (node.id < 0 || best[begin].score + score > node.score) node = {best[begin].score + score, begin, id};
  };
  for (size_t at = 0; at < text.size(); at += utf8_length(text[at])) {
    const size_t character = utf8_length(text[at]);
    bool is_piece = false;
    table_.prefixes(text.substr(at), [&](size_t length, int32_t id) {
      offer(at, at + length, id, scores_[id]);
      is_piece |= length == character;
    });
    if (!is_piece) offer(at, at + character, unk_id_, unk_score_);
  }

  std::vector<std::pair<size_t, size_t>> parts;  // backwards, runs of unknown characters as one
  bool in_run = false;
  for (size_t end = text.size(); end > 0; end = best[end].begin) {
    const bool is_unknown = best[end].id == unk_id_;
    if (is_unknown && in_run)
      parts.back().first = best[end].begin;
    else
      parts.emplace_back(best[end].begin, end);
    in_run = is_unknown;
  }
  for (auto part = parts.rbegin(); part != parts.rend(); ++part)
    append_run(text.substr(part->first, part->second - part->first), ids);
}

void Unigram::append_run(std::string_view text, std::vector<int64_t>& ids) const {
  if (const int64_t id = find(text); id >= 0) {
    ids.push_back(id);
    return;
  }
  if (byte_fallback_) {
    std::vector<int64_t> bytes;
    for (const char c : text) {
      std::array<char, 8> name{};
      std::snprintf(name.data(), name.size(), "<0x%02X>", static_cast<unsigned>(static_cast<unsigned char>(c)));
      if (const int64_t id = find(name.data()); id >= 0) bytes.push_back(id);
    }
    if (bytes.size() == text.size()) {
      ids.insert(ids.end(), bytes.begin(), bytes.end());
      return;
    }
  }
  ids.push_back(unk_id_);
}

}  // namespace fastvideo
