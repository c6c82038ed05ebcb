// The item under test, and helpers for its answers.
#pragma once

#include <fastvideo/abi.h>

#include <fastvideo/core.hpp>
#include <span>
#include <string>

#include "host/plugins/loader.hpp"
#include "tools/check/report.hpp"

namespace fastvideo::host::conformance {

/// An item whose library is open. Everything is borrowed.
struct Subject {
  const Item& item;
  const LoadedItem& loaded;
  std::span<const fv_entry> options;  ///< the item's defaults and data files
  const fv_services* host;
  Reporter& report;
};

/// "FV_REFUSED (height 7 is impossible)"
inline std::string describe(fv_status status, const TextBuffer& text) {
  const char* const names[] = {"FV_OK", "FV_FAILED", "FV_REFUSED", "FV_CANCELLED", "FV_OUT_OF_MEMORY"};
  const bool known = status >= 0 && status <= FV_OUT_OF_MEMORY;
  const std::string name = known ? names[status] : "the unknown status " + std::to_string(status);
  return text.str().empty() ? name + " without a text" : name + " (" + text.str() + ")";
}

/// Throws Fault unless status is FV_OK, and the text's buffer is the one that was lent.
inline void require_success(const std::string& call, fv_status status, const TextBuffer& text) {
  if (text.is_replaced()) throw Fault(call + " put another buffer in the place of the one for its error");
  if (status != FV_OK) throw Fault(call + " gave " + describe(status, text));
}

/// The same for create. An item that refuses with a reason is skipped: its device or driver may be missing here.
inline void require_created(fv_status status, const TextBuffer& text) {
  if (status == FV_REFUSED && !text.str().empty())
    throw Skipped("create refuses, so nothing else can be checked here: " + text.str());
  require_success("create", status, text);
}

/// Throws Fault with `rule` unless `kept`.
inline void require(bool kept, const std::string& rule) {
  if (!kept) throw Fault(rule);
}

/// A host that offers no service at all; lives for ever.
const fv_services* bare_host();

void check_attention(const Subject& subject);
void check_cache(const Subject& subject);
void check_pipeline(const Subject& subject);

}  // namespace fastvideo::host::conformance
