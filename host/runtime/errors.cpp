#include "host/runtime/errors.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <fastvideo/core.hpp>
#include <filesystem>
#include <new>
#include <string>

#include "host/calls/cancel.hpp"
#include "host/error/error.hpp"
#include "host/error/printable.hpp"
#include "host/error/utf8.hpp"

namespace fastvideo::host {
namespace {

void copy_text(std::string_view text, char* to, size_t capacity) {
  if (to == nullptr || capacity == 0) return;
  const size_t length = whole_characters(text, capacity - 1);
  text.copy(to, length);
  to[length] = '\0';
}

}  // namespace

fvr_status write_error(fvr_error* error, fvr_status status, std::string_view text, std::string_view setting) noexcept {
  if (error == nullptr || error->struct_size < sizeof error->struct_size) return status;
  fvr_error whole{};
  size_t known = std::min<size_t>(error->struct_size, sizeof whole);
  if (known < offsetof(fvr_error, capacity))
    known = std::min(known, offsetof(fvr_error, text));  // no half of a pointer
  std::memcpy(&whole, error, known);
  whole.status = status;
  // What files, plugins and settings say in it need not be UTF-8, or one line.
  std::string shown;
  try {
    shown = printable_lines(text);
  } catch (...) {  // no memory for it
    shown.clear();
  }
  if (!shown.empty()) text = shown;
  whole.length = static_cast<uint32_t>(text.size());
  copy_text(text, whole.text, whole.capacity);
  copy_text(setting, whole.setting, sizeof whole.setting);
  std::memcpy(error, &whole, known);
  return status;
}

fvr_status write_exception(fvr_error* error) noexcept {
  try {
    throw;
  } catch (const InvalidCall& e) {
    return write_error(error, FVR_INVALID, e.what());
  } catch (const BusyError& e) {
    return write_error(error, FVR_BUSY, e.what());
  } catch (const CancelledError& e) {
    return write_error(error, FVR_CANCELLED, e.what());
  } catch (const RequestError& e) {
    return write_error(error, FVR_REFUSED, e.what(), e.setting());
  } catch (const Refused& e) {
    return write_error(error, FVR_REFUSED, e.what());
  } catch (const std::filesystem::filesystem_error& e) {
    return write_error(error, FVR_REFUSED, e.what());
  } catch (const OutOfMemory& e) {
    return write_error(error, FVR_OUT_OF_MEMORY, e.what());
  } catch (const std::bad_alloc&) {
    return write_error(error, FVR_OUT_OF_MEMORY, "out of memory");
  } catch (const std::exception& e) {
    return write_error(error, FVR_FAILED, e.what());
  } catch (...) {
    return write_error(error, FVR_FAILED, "an exception that is not a std::exception");
  }
}

}  // namespace fastvideo::host
