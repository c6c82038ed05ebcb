// From the host's exceptions to the status and the error of runtime.h.
#pragma once

#include <fastvideo/runtime.h>

#include <stdexcept>
#include <string_view>
#include <utility>

namespace fastvideo::host {

/// The caller broke a rule of the header: FVR_INVALID.
class InvalidCall : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

/// Somebody else's run is in the way: FVR_BUSY.
class BusyError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Fills the error no further than its owner knows it, and returns `status`. `error` may be NULL.
fvr_status write_error(fvr_error* error, fvr_status status, std::string_view text,
                       std::string_view setting = {}) noexcept;

/// The error of the exception that is being handled. Called in a handler.
fvr_status write_exception(fvr_error* error) noexcept;

/// Runs the body of a function of runtime.h: no exception leaves it.
template <class Body>
fvr_status guarded(fvr_error* error, Body&& body) noexcept {
  try {
    std::forward<Body>(body)();
    return write_error(error, FVR_OK, {});
  } catch (...) {
    return write_exception(error);
  }
}

/// Throws InvalidCall, naming the function, if a handle is NULL.
template <class Handle>
Handle& required(Handle* handle, const char* name) {
  if (handle == nullptr) throw InvalidCall(std::string(name) + " is NULL");
  return *handle;
}

}  // namespace fastvideo::host
