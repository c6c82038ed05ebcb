#include "pipelines/common/text/prompts/cut_prompt.hpp"

#include <mutex>
#include <set>
#include <utility>

namespace fastvideo {

std::string beginning_of(const std::string& text) {
  constexpr size_t kMost = 60;
  if (text.size() <= kMost) return text;
  size_t end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end) + "...";
}

namespace {

// One warning per text: a bench encodes the same prompt many times. A server sees ever new prompts, so old ones are
// forgotten.
void warn_of_cut(const Host& run, const char* source, const std::string& text, size_t tokens, size_t most) {
  static std::mutex mutex;
  static std::set<std::pair<std::string, size_t>> said;
  const std::lock_guard lock(mutex);
  if (said.size() >= 1000) said.clear();
  if (!said.emplace(text, most).second) return;
  run.log(FV_LOG_WARNING, source,
          "the prompt \"" + beginning_of(text) + "\" has " + std::to_string(tokens) + " tokens, and the model reads " +
              std::to_string(most) + " (max_sequence_length): its end is cut off and has no effect; shorten it");
}

}  // namespace

std::vector<int64_t> cut_ids(const Host& run, const char* source, const std::string& text, std::vector<int64_t> ids,
                             int64_t most) {
  const auto kept = static_cast<size_t>(most);
  if (ids.size() <= kept) return ids;
  warn_of_cut(run, source, text, ids.size(), kept);
  ids[kept - 1] = ids.back();
  ids.resize(kept);
  return ids;
}

}  // namespace fastvideo
