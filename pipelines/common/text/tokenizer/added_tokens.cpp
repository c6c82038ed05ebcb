#include "pipelines/common/text/tokenizer/added_tokens.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "pipelines/common/text/tokenizer/white_space.hpp"

namespace fastvideo {
namespace {

// \w of Unicode's regular expressions (UTS 18, annex C): letters, marks, digits, connectors, joiners.
bool is_word(char32_t c) {
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_PC:
      return true;
    default:
      break;
  }
  const bool enclosed = (c >= 0x24B6 && c <= 0x24E9) || (c >= 0x1F130 && c <= 0x1F149) ||
                        (c >= 0x1F150 && c <= 0x1F169) || (c >= 0x1F170 && c <= 0x1F189);
  return enclosed || c == 0x200C || c == 0x200D;
}

bool stands_alone(std::string_view text, size_t begin, size_t end) {
  return (begin == 0 || !is_word(last_code_point(text.substr(0, begin)).first)) &&
         (end == text.size() || !is_word(first_code_point(text.substr(end)).first));
}

}  // namespace

void AddedTokens::add(AddedToken token, int64_t model_size, const std::function<int64_t(std::string_view)>& piece_of) {
  if (token.content.empty()) return;
  if (const auto found = places_.find(token.content); found != places_.end()) {
    Entry& entry = entries_[found->second];
    entry.was_special |= token.special;
    entry.token = std::move(token);
    return;
  }
  int64_t id = piece_of(token.content);
  if (id < 0) id = std::max(end_id_, model_size);
  end_id_ = std::max(end_id_, id + 1);
  places_.emplace(token.content, entries_.size());
  const bool is_special = token.special;
  entries_.push_back({std::move(token), id, is_special});
}

void AddedTokens::finish(bool split_special, const std::function<std::string(std::string_view)>& normalize) {
  split_special_ = split_special;
  std::vector<std::pair<std::string, int32_t>> plain, normalized;
  for (size_t i = entries_.size(); i-- > 0;) {  // of two tokens that normalise to one text the first counts
    const AddedToken& token = entries_[i].token;
    std::string content = token.normalized ? normalize(token.content) : token.content;
    if (!content.empty()) (token.normalized ? normalized : plain).emplace_back(std::move(content), i);
  }
  plain_ = PrefixTable(std::move(plain));
  normalized_ = PrefixTable(std::move(normalized));
}

std::vector<AddedTokens::Part> AddedTokens::split(std::string_view text, bool normalized) const {
  const PrefixTable& table = normalized ? normalized_ : plain_;
  std::vector<Part> parts;
  size_t done = 0;
  const auto keep = [&](size_t end) {
    if (end > done) parts.push_back({text.substr(done, end - done), -1});
  };
  for (size_t at = 0; at < text.size() && table.size() > 0;) {
    size_t length = 0;
    int32_t place = 0;
    table.prefixes(text.substr(at), [&](size_t found, int32_t number) {
      length = found;
      place = number;
    });
    if (length == 0) {
      ++at;
      continue;
    }
    const auto& [token, id, was_special] = entries_[static_cast<size_t>(place)];
    size_t begin = at, end = at + length;
    at = end;  // also where white space behind it is taken: that may be a token too, and then counts twice
    if ((split_special_ && was_special) || (token.single_word && !stands_alone(text, begin, end))) continue;
    if (token.lstrip && begin > done) begin -= trailing_white_space(text.substr(done, begin - done));
    if (token.rstrip) end += leading_white_space(text.substr(end));
    keep(begin);
    parts.push_back({text.substr(begin, end - begin), id});
    done = end;
  }
  keep(text.size());
  return parts;
}

bool AddedTokens::contains(const AddedToken& token) const {
  const auto found = places_.find(token.content);
  return found != places_.end() && entries_[found->second].token == token;
}

int64_t AddedTokens::id_of(const std::string& content) const {
  const auto found = places_.find(content);
  return found != places_.end() ? entries_[found->second].id : -1;
}

}  // namespace fastvideo
