// fastvideo/core.hpp - the base of every plugin in C++: exceptions as statuses of the ABI, options, services.
#pragma once

#if __cplusplus < 202002L
#error "the C++ layer of the FastVideo SDK needs C++20 (-std=c++20); the C headers (fastvideo/attention.h, ...) do not"
#endif

#include <cstdio>
#include <cstring>
#include <exception>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>

#include "fastvideo/abi.h"

namespace fastvideo {

/// The request is impossible: crosses the ABI as FV_REFUSED. Say what is impossible, its value, and what would be
/// possible.
class Refused : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// The run was cancelled: crosses the ABI as FV_CANCELLED. Thrown by Progress; only for a pipeline's run.
class Cancelled : public std::runtime_error {
 public:
  Cancelled() : std::runtime_error("cancelled") {}
};

/// An allocation on the host or a device failed: crosses the ABI as FV_OUT_OF_MEMORY, as std::bad_alloc does. Say how
/// much memory was asked for.
class OutOfMemory : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// Writes text into the caller's buffer, truncated to fit, with a closing NUL.
inline void write_text(fv_text* buffer, std::string_view text) noexcept {
  if (buffer == nullptr || buffer->data == nullptr || buffer->capacity == 0) return;
  const size_t length = text.size() < buffer->capacity - 1 ? text.size() : buffer->capacity - 1;
  text.copy(buffer->data, length);
  buffer->data[length] = '\0';
}

/// A text buffer for calls from C++ into the ABI.
class TextBuffer {
 public:
  /// The buffer for the next call: emptied, with its own pointer and capacity restored if the last writer changed them.
  fv_text* get() noexcept {
    data_[0] = '\0';
    text_ = {data_, sizeof(data_), 0};
    return &text_;
  }
  /// Whether the last writer changed the pointer or capacity of the fv_text, which the ABI forbids.
  bool is_replaced() const noexcept { return text_.data != data_ || text_.capacity != sizeof(data_); }
  /// The text that was written; a missing closing NUL is forgiven.
  std::string str() const { return {data_, strnlen(data_, sizeof(data_))}; }

  TextBuffer() = default;
  TextBuffer(const TextBuffer&) = delete;
  TextBuffer& operator=(const TextBuffer&) = delete;

 private:
  char data_[8192] = {};
  fv_text text_{data_, sizeof(data_), 0};
};

/// Runs body and turns any exception into a status and a text: no exception crosses the ABI.
template <class Body>
fv_status guard(fv_text* error, Body&& body) noexcept {
  try {
    body();
    return FV_OK;
  } catch (const Cancelled& e) {
    write_text(error, e.what());
    return FV_CANCELLED;
  } catch (const Refused& e) {
    write_text(error, e.what());
    return FV_REFUSED;
  } catch (const OutOfMemory& e) {
    write_text(error, e.what());
    return FV_OUT_OF_MEMORY;
  } catch (const std::bad_alloc&) {
    write_text(error, "out of memory");
    return FV_OUT_OF_MEMORY;
  } catch (const std::exception& e) {
    write_text(error, e.what());
    return FV_FAILED;
  } catch (...) {
    write_text(error, "an exception that is not a std::exception");
    return FV_FAILED;
  }
}

/// The inverse of guard: throws the exception that a status of the ABI stands for, with its text.
inline void check(fv_status status, const TextBuffer& text) {
  if (status == FV_OK) return;
  if (status == FV_CANCELLED) throw Cancelled();
  if (status == FV_REFUSED) throw Refused(text.str());
  if (status == FV_OUT_OF_MEMORY) throw OutOfMemory("out of memory: " + text.str());
  throw std::runtime_error(text.str());
}

/// Options of an item or parameters of a request, by name. Borrows the entries; valid for the call that received them.
/// The host has checked types and ranges, so a wrong name or type here is a plugin that disagrees with its own
/// manifest.
class Options {
 public:
  Options() = default;
  Options(const fv_entry* entries, uint32_t count) : entries_(entries, count) {}

  /// NULL if the option was not given and has no default.
  const fv_value* find(std::string_view name) const {
    for (const fv_entry& entry : entries_)
      if (name == entry.name) return &entry.value;
    return nullptr;
  }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  bool boolean(std::string_view name) const { return typed(name, FV_VALUE_BOOL, "bool").as.integer != 0; }
  int64_t integer(std::string_view name) const { return typed(name, FV_VALUE_INT, "int").as.integer; }
  double number(std::string_view name) const { return typed(name, FV_VALUE_FLOAT, "float").as.number; }
  std::string_view string(std::string_view name) const { return typed(name, FV_VALUE_STRING, "string").as.string; }
  std::span<const fv_entry> entries() const { return entries_; }

 private:
  const fv_value& typed(std::string_view name, uint32_t type, const char* type_name) const {
    const fv_value* value = find(name);
    if (value == nullptr)
      throw std::logic_error("there is no value '" + std::string(name) +
                             "': an option is declared in plugin.toml, an entry of a data file stands in it");
    if (value->type != type)
      throw std::logic_error("the value '" + std::string(name) + "' is not of type " + type_name +
                             " where it is declared or given");
    return *value;
  }

  std::span<const fv_entry> entries_;
};

/// A handle to the host's services, cheap to copy, valid for ever (a run's: until the run returns). Threads: any.
class Host {
 public:
  explicit Host(const fv_services* services) : services_(services) {}

  /// The service with this id, or nullptr if the host has none.
  template <class Service>
  const Service* service(const char* id) const {
    return static_cast<const Service*>(services_->get(services_, id));
  }

  /// Writes one line to the host's log. source is the id of the plugin.
  void log(int32_t level, const char* source, const std::string& text) const {
    if (const auto* log = service<fv_log_service>(FV_LOG_SERVICE))
      log->write(log->context, level, source, text.c_str());
  }

  /// Calls body(begin, end) on ranges that cover [0, count), each at least grain long but for the last, on the threads
  /// of the process; on the calling thread if the host offers none. Rethrows the first exception of a body on the
  /// calling thread.
  template <class Body>
  void parallel_for(int64_t count, int64_t grain, Body&& body) const {
    struct Call {
      std::remove_reference_t<Body>* body;
      std::exception_ptr failure;
      bool failed = false;
    } call{&body, nullptr};
    const auto run = [](void* data, int64_t begin, int64_t end) {
      Call& c = *static_cast<Call*>(data);
      try {
        (*c.body)(begin, end);
      } catch (...) {
        if (!__atomic_test_and_set(&c.failed, __ATOMIC_ACQ_REL)) c.failure = std::current_exception();
      }
    };
    const auto* parallel = service<fv_parallel_service>(FV_PARALLEL_SERVICE);
    if (parallel != nullptr)
      parallel->parallel_for(parallel->context, count, grain, run, &call);
    else if (count > 0)
      run(&call, 0, count);
    if (call.failure) std::rethrow_exception(call.failure);
  }

  const fv_services* get() const { return services_; }

 private:
  const fv_services* services_;
};

namespace detail {

/// Makes an object of a plugin's class, with (Host, Options), (Options) or no argument, as its constructor takes.
template <class T>
T* construct(const Host& host, const Options& options) {
  if constexpr (std::is_constructible_v<T, const Host&, const Options&>) {
    return new T(host, options);
  } else if constexpr (std::is_constructible_v<T, const Options&>) {
    return new T(options);
  } else {
    static_assert(std::is_default_constructible_v<T>, "a constructor takes (Host, Options), (Options) or nothing");
    return new T();
  }
}

inline fv_item item(const char* kind, const char* name, const char* implementation, const void* (*get)(const char*)) {
  return {sizeof(fv_item), 0, kind, name, implementation, get};
}

}  // namespace detail
}  // namespace fastvideo
