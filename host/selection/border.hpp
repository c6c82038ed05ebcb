// Errors at the border to plugins, both ways: what a plugin's status means here, and what our exceptions mean there.
#pragma once

#include <fastvideo/abi.h>

#include <cstring>
#include <exception>
#include <fastvideo/core.hpp>
#include <string>
#include <utility>

#include "host/calls/after_call.hpp"
#include "host/calls/call_note.hpp"
#include "host/calls/cancel.hpp"
#include "host/calls/kept_rounding.hpp"
#include "host/error/error.hpp"
#include "host/log/log.hpp"

namespace fastvideo::host {

/// What stands in a buffer that a plugin has written to; empty if there is none. It need not have closed the text.
inline std::string written_text(const fv_text* text) {
  return text == nullptr || text->data == nullptr ? std::string()
                                                  : std::string(text->data, strnlen(text->data, text->capacity));
}

/// The same, or that there is none.
inline std::string said_with(fv_status status, const std::string& said) {
  return said.empty() ? "gave status " + std::to_string(status) + " and no reason" : said;
}

/// Puts the name of who said it before the text of a call that failed. Returns the status.
inline fv_status with_name(fv_status status, const std::string& who, fv_text* error) {
  if (status != FV_OK && error != nullptr && error->data != nullptr && error->capacity > 0)
    write_text(error, who + ": " + said_with(status, written_text(error)));
  return status;
}

/// Throws what a plugin's status says, its text behind the name of who said it: RequestError for FV_REFUSED,
/// CancelledError for FV_CANCELLED, OutOfMemory for FV_OUT_OF_MEMORY, std::runtime_error for everything else.
inline void require_ok(fv_status status, const TextBuffer& text, const std::string& who) {
  if (status == FV_OK) return;
  if (status == FV_CANCELLED) throw CancelledError("cancelled");
  const std::string said = said_with(status, text.str());
  if (status == FV_REFUSED) throw RequestError(who + ": " + said);
  if (status == FV_OUT_OF_MEMORY)
    throw OutOfMemory(who + (said.find("out of memory") != std::string::npos ? ": " : ": out of memory: ") + said);
  throw std::runtime_error(who + ": " + said);
}

/// A buffer while a plugin has it: afterwards it is where and as large as it was, whatever the plugin made of it.
class LentText {
 public:
  explicit LentText(fv_text* text) : text_(text), before_(text != nullptr ? *text : fv_text{}) {}
  ~LentText() {
    if (text_ != nullptr) *text_ = before_;
  }
  LentText(const LentText&) = delete;
  LentText& operator=(const LentText&) = delete;

 private:
  fv_text* text_;
  fv_text before_;
};

/// What is to be said of an exception that a plugin's function let out. Called in a handler.
inline std::string thrown_by(const std::string& function) {
  const std::string what = function + " threw an exception across the ABI";
  try {
    throw;
  } catch (const std::exception& e) {
    return what + ": " + e.what();
  } catch (...) {
    return what + ", which is no std::exception";
  }
}

/// What a user is told to do about it.
constexpr const char* kTellItsAuthor = "; report this to the plugin's author";

/// Calls a function of a plugin's table, and notes the call while it lasts. By the ABI it throws nothing; if it does,
/// that is the status `if_it_throws` with a text, and not the end of the process. FV_CANCELLED is FV_FAILED with a
/// text: of all functions, only a pipeline's `run` can be told to stop (see called_and_cancellable). So is a status
/// that does not exist. This one is for functions that are called for every layer; see called().
template <class Call>
fv_status called_often(const CallName& name, fv_text* error, Call&& call, fv_status if_it_throws = FV_REFUSED) {
  const CallNote note(name);
  try {
    fv_status status = FV_OK;
    {
      const LentText lent(error);
      const KeptRounding rounding;
      status = std::forward<Call>(call)();
    }
    if (status == FV_OK || status == FV_FAILED || status == FV_REFUSED || status == FV_OUT_OF_MEMORY) return status;
    const std::string said = written_text(error);
    write_text(error, std::string(name.function) +
                          (status == FV_CANCELLED ? " says that it was cancelled, and nobody asked for that"
                                                  : " gave the unknown status " + std::to_string(status) +
                                                        (said.empty() ? " and no reason" : " (" + said + ")")) +
                          kTellItsAuthor);
    return FV_FAILED;
  } catch (...) {
    write_text(error, thrown_by(name.function) + kTellItsAuthor);
    return if_it_throws;
  }
}

/// The same for all others: what they have changed of the process is put back, too, which takes microseconds.
template <class Call>
fv_status called(const CallName& name, fv_text* error, Call&& call, fv_status if_it_throws = FV_REFUSED) {
  const fv_status status = called_often(name, error, std::forward<Call>(call), if_it_throws);
  after_call();
  return status;
}

/// The same for a function that can be told to stop by `cancel`.
template <class Call>
fv_status called_and_cancellable(const CallName& name, const CancelToken& cancel, fv_text* error, Call&& call) {
  bool was_asked_for = false;
  const fv_status status = called(name, error, [&] {
    const fv_status said = std::forward<Call>(call)();
    was_asked_for = said == FV_CANCELLED && cancel.requested();
    return was_asked_for ? fv_status{FV_OK} : said;
  });
  return was_asked_for ? fv_status{FV_CANCELLED} : status;
}

/// Calls a function with a buffer for its text, and throws what its status says, behind the name of who said it.
template <class Call>
void call_or_throw(const CallName& name, const std::string& who, Call&& call) {
  TextBuffer text;
  require_ok(called(name, text.get(), [&] { return call(text.get()); }), text, who);
}

/// Calls one that destroys or closes something and has no status: what it throws is logged under the plugin's
/// name.
template <class Call>
void released(const CallName& name, Call&& call) noexcept {
  const CallNote note(name);
  try {
    std::forward<Call>(call)();
  } catch (...) {
    log_error("plugins", std::string(name.plugin) + ": " + thrown_by(name.function) + kTellItsAuthor);
  }
}

/// Runs body for a plugin and turns whatever it throws into a status and a text: no exception crosses.
template <class Body>
fv_status serve(fv_text* error, Body&& body) noexcept {
  const CallNote note{CallName{}};  // our own code again
  return guard(error, [&] {
    try {
      std::forward<Body>(body)();
    } catch (const RequestError& e) {
      throw Refused(e.what());
    } catch (const CancelledError&) {
      throw Cancelled();
    }
  });
}

}  // namespace fastvideo::host
