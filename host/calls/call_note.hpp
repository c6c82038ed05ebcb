// Which function of which plugin each thread is in: data, for whoever must say so when a call does not come back.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fastvideo::host {

/// A call of a plugin's function by name. The texts live as long as the process: literals, or kept_text.
struct CallName {
  const char* function = nullptr;  ///< "run"; nullptr: code of the host, which a plugin has called
  const char* plugin = nullptr;    ///< "EVIL/cpu", or the file that is opened
  const char* site = nullptr;      ///< "dit.self", or nullptr
};

/// A copy that lives for ever; equal texts share one. Any thread.
const char* kept_text(std::string_view text);

/// The name of a call, its texts kept. Takes a lock: calls that come often keep their name.
CallName call_name(const char* function, std::string_view plugin, std::string_view site = {});

/// The calls that one thread is in, innermost last. Written by its thread; read by any thread and by signal handlers.
class CallStack {
 public:
  static constexpr unsigned kDeepest = 16;

  /// That of this thread.
  static CallStack& of_this_thread() noexcept;
  /// That of the thread which was first to call a plugin and has not come back, the program's main thread as a rule;
  /// nullptr if none is in a call.
  static CallStack* longest() noexcept;

  void push(const CallName& name) noexcept;
  void pop() noexcept;

  /// How often something has changed: a call that lasts while this stays does not get on.
  uint64_t moves() const noexcept { return moves_.load(std::memory_order_relaxed); }
  bool is_empty() const noexcept { return depth_.load(std::memory_order_acquire) == 0; }
  /// Writes "run of EVIL/cpu at dit.self", or for code of the host "the host's own code, called by run of wan/torch";
  /// cut to size - 1 bytes and ended by NUL. Returns its length, 0 if no call is in progress. Async-signal-safe.
  size_t describe(char* text, size_t size) const noexcept;

 private:
  friend void note_progress() noexcept;
  struct Entry {
    std::atomic<const char*> function{nullptr}, plugin{nullptr}, site{nullptr};
  };
  void move() noexcept { moves_.store(moves() + 1, std::memory_order_relaxed); }

  Entry entries_[kDeepest];
  std::atomic<unsigned> depth_{0};
  std::atomic<uint64_t> moves_{0};
};

/// The innermost call that this thread is in, or if it is in none, that of CallStack::longest: a thread of a plugin's
/// own works for that one as a rule. As CallStack::describe.
size_t describe_call_in_progress(char* text, size_t size) noexcept;

/// A call in progress is getting on: it has reported a stage or a step.
void note_progress() noexcept;

/// While it lives, this thread is in that call.
class CallNote {
 public:
  explicit CallNote(const CallName& name) noexcept : stack_(CallStack::of_this_thread()) { stack_.push(name); }
  ~CallNote() { stack_.pop(); }
  CallNote(const CallNote&) = delete;
  CallNote& operator=(const CallNote&) = delete;

 private:
  CallStack& stack_;
};

}  // namespace fastvideo::host
