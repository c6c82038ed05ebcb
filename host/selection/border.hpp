// Errors at the border to plugins, both ways: what a plugin's status means here, and what our exceptions mean there.
#pragma once

#include <fastvideo/abi.h>

#include <exception>
#include <fastvideo/core.hpp>
#include <string>
#include <utility>

#include "host/error/error.hpp"
#include "host/log/log.hpp"
#include "host/process/cancel.hpp"

namespace fastvideo {

/// Throws what a plugin's status says, its text behind the name of who said it: RequestError for FV_REFUSED,
/// CancelledError for FV_CANCELLED, std::runtime_error for everything else, values that are not known among them.
inline void require_ok(fv_status status, const TextBuffer& text, const std::string& who) {
  if (status == FV_OK) return;
  std::string said = text.str();
  if (status == FV_CANCELLED) throw CancelledError("cancelled");
  if (said.empty()) said = "gave status " + std::to_string(status) + " and no reason";
  if (status == FV_REFUSED) throw RequestError(who + ": " + said);
  if (status == FV_OUT_OF_MEMORY) throw std::runtime_error(who + ": out of memory: " + said);
  if (status != FV_FAILED) said += " (unknown status " + std::to_string(status) + ")";
  throw std::runtime_error(who + ": " + said);
}

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

/// Calls a function of a plugin's table. By the ABI it throws nothing; if it does, that is the status `if_it_throws`
/// with a text, and not the end of the process.
template <class Call>
fv_status called(const char* function, fv_text* error, Call&& call, fv_status if_it_throws = FV_REFUSED) {
  try {
    return std::forward<Call>(call)();
  } catch (...) {
    write_text(error, thrown_by(function) + kTellItsAuthor);
    return if_it_throws;
  }
}

/// The same for one that destroys or closes something and has no status: what it throws is logged under the name `who`.
template <class Call>
void released(const std::string& who, const char* function, Call&& call) noexcept {
  try {
    std::forward<Call>(call)();
  } catch (...) {
    log_error("plugins", who + ": " + thrown_by(function) + kTellItsAuthor);
  }
}

/// Runs body for a plugin and turns whatever it throws into a status and a text: no exception crosses.
template <class Body>
fv_status serve(fv_text* error, Body&& body) noexcept {
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

}  // namespace fastvideo
