#include "host/calls/call_note.hpp"

#include <algorithm>
#include <mutex>
#include <set>
#include <string>

namespace fastvideo::host {
namespace {

static_assert(std::atomic<const char*>::is_always_lock_free && std::atomic<uint64_t>::is_always_lock_free,
              "a signal handler may only touch lock-free atomics");

std::atomic<CallStack*> first_in_a_call{nullptr};

// A text of limited size, put together without the library's help.
class NoteText {
 public:
  NoteText(char* text, size_t size) noexcept : text_(text), size_(size) {
    if (size_ > 0) text_[0] = '\0';
  }
  void add(const char* more) noexcept {
    while (more != nullptr && *more != '\0' && length_ + 1 < size_) text_[length_++] = *more++;
    if (size_ > 0) text_[length_] = '\0';
  }
  size_t length() const noexcept { return length_; }

 private:
  char* text_;
  size_t size_;
  size_t length_ = 0;
};

}  // namespace

const char* kept_text(std::string_view text) {
  // Never destroyed: a handler may read it while the process ends.
  static auto& mutex = *new std::mutex;
  static auto& texts = *new std::set<std::string, std::less<>>;
  const std::lock_guard lock(mutex);
  const auto found = texts.find(text);
  return (found != texts.end() ? found : texts.emplace(text).first)->c_str();
}

CallName call_name(const char* function, std::string_view plugin, std::string_view site) {
  return {function, kept_text(plugin), site.empty() ? nullptr : kept_text(site)};
}

CallStack& CallStack::of_this_thread() noexcept {
  static thread_local CallStack stack;
  return stack;
}

CallStack* CallStack::longest() noexcept { return first_in_a_call.load(std::memory_order_acquire); }

void CallStack::push(const CallName& name) noexcept {
  const unsigned depth = depth_.load(std::memory_order_relaxed);
  if (depth < kDeepest) {
    Entry& entry = entries_[depth];
    entry.function.store(name.function, std::memory_order_relaxed);
    entry.plugin.store(name.plugin, std::memory_order_relaxed);
    entry.site.store(name.site, std::memory_order_relaxed);
  }
  depth_.store(depth + 1, std::memory_order_release);
  move();
  if (depth > 0 || first_in_a_call.load(std::memory_order_relaxed) != nullptr) return;
  CallStack* none = nullptr;
  first_in_a_call.compare_exchange_strong(none, this);
}

void CallStack::pop() noexcept {
  const unsigned depth = depth_.load(std::memory_order_relaxed) - 1;
  if (depth == 0 && first_in_a_call.load(std::memory_order_relaxed) == this)
    first_in_a_call.store(nullptr, std::memory_order_release);
  depth_.store(depth, std::memory_order_release);
  move();
}

size_t CallStack::describe(char* text, size_t size) const noexcept {
  NoteText out(text, size);
  unsigned depth = std::min(depth_.load(std::memory_order_acquire), kDeepest);
  const auto is_plugin = [&](unsigned at) { return entries_[at].function.load(std::memory_order_relaxed) != nullptr; };
  if (depth > 0 && !is_plugin(depth - 1)) {
    while (depth > 0 && !is_plugin(depth - 1)) --depth;
    out.add("the host's own code");
    if (depth > 0) out.add(", called by ");
  }
  if (depth == 0) return out.length();
  const Entry& entry = entries_[depth - 1];
  out.add(entry.function.load(std::memory_order_relaxed));
  out.add(" of ");
  out.add(entry.plugin.load(std::memory_order_relaxed));
  if (const char* site = entry.site.load(std::memory_order_relaxed)) {
    out.add(" at ");
    out.add(site);
  }
  return out.length();
}

size_t describe_call_in_progress(char* text, size_t size) noexcept {
  if (const CallStack& own = CallStack::of_this_thread(); !own.is_empty()) return own.describe(text, size);
  if (const CallStack* other = CallStack::longest()) return other->describe(text, size);
  if (size > 0) text[0] = '\0';
  return 0;
}

void note_progress() noexcept {
  if (CallStack* stack = CallStack::longest()) stack->moves_.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace fastvideo::host
