// Handles that are little more than what the host has: cancelling, and the note of calls.
#include "host/runtime/handles.hpp"

#include <new>

#include "host/calls/call_note.hpp"

namespace fastvideo::host {

std::vector<Given> put_over(std::vector<Given> lower, const std::vector<Given>& higher) {
  lower.insert(lower.end(), higher.begin(), higher.end());
  return lower;
}

}  // namespace fastvideo::host

fvr_cancel* fvr_cancel_new(void) { return new (std::nothrow) fvr_cancel; }

void fvr_cancel_request(fvr_cancel* cancel) {
  if (cancel != nullptr) cancel->token.request();
}

void fvr_cancel_free(fvr_cancel* cancel) { delete cancel; }

size_t fvr_describe_call(char* text, size_t size) { return fastvideo::host::describe_call_in_progress(text, size); }
