// The log, for the embedder.
#include "host/log/log.hpp"

#include <mutex>
#include <string>

#include "host/error/error.hpp"
#include "host/runtime/errors.hpp"

namespace fastvideo::host {
namespace {

struct Taker {
  fvr_log log = nullptr;
  void* context = nullptr;
};

void pass_on(void* context, LogLevel level, std::string_view source, std::string_view text) {
  const Taker& to = *static_cast<const Taker*>(context);
  to.log(to.context, static_cast<int32_t>(level), std::string(source).c_str(), std::string(text).c_str());
}

void take(fvr_log log, void* context) {
  if (log == nullptr) throw InvalidCall("log is NULL");
  // Never destroyed: plugins may log while the process ends.
  static auto& mutex = *new std::mutex;
  static auto& taker = *new Taker;
  const std::lock_guard lock(mutex);
  if (taker.log == log && taker.context == context) return;
  if (taker.log != nullptr)
    throw RequestError(
        "another function of this process takes the messages of the log already, or this one with "
        "another context: hand them on from there");
  taker = {log, context};
  set_log_sink(pass_on, &taker);
}

}  // namespace
}  // namespace fastvideo::host

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace)

fvr_status fvr_log_to(fvr_log log, void* context, fvr_error* error) {
  return guarded(error, [&] { take(log, context); });
}
