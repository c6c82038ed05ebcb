#include "host/calls/after_call.hpp"

#include <atomic>

namespace fastvideo::host {
namespace {

std::atomic<void (*)() noexcept> put_process_in_order{nullptr};
std::atomic<bool> mode_was_restored{false};

}  // namespace

void after_call() noexcept {
  if (const auto put_in_order = put_process_in_order.load(std::memory_order_relaxed)) put_in_order();
}

void set_after_call(void (*put_in_order)() noexcept) noexcept { put_process_in_order = put_in_order; }

void note_restored_mode() noexcept { mode_was_restored = true; }
bool take_restored_mode() noexcept { return mode_was_restored.exchange(false); }

}  // namespace fastvideo::host
