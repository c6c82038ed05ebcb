// Errors at the border to plugins, both ways: what a plugin's status means here, and what our exceptions mean there.
#pragma once

#include <fastvideo/abi.h>

#include <fastvideo/core.hpp>
#include <string>
#include <utility>

#include "host/error/error.hpp"
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
