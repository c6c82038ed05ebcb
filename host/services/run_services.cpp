#include "host/services/run_services.hpp"

#include <fastvideo/core.hpp>

#include "host/calls/call_note.hpp"

namespace fastvideo::host {
namespace {

// An observer must not end a run: what it throws (no memory for its text) is dropped.
template <class Body>
void get_on(Body&& body) noexcept {
  note_progress();
  static_cast<void>(guard(nullptr, std::forward<Body>(body)));
}

}  // namespace

RunServices::RunServices(const HostServices& host, RunProgress& progress, const CancelToken& cancel,
                         AttentionService& attention, CacheService* cache)
    : host_(host),
      progress_(progress),
      cancel_(cancel),
      attention_(attention.service()),
      cache_(cache != nullptr ? cache->service() : nullptr) {
  progress_service_.struct_size = sizeof progress_service_;
  progress_service_.context = this;
  progress_service_.stage = [](void* context, const char* name, int64_t steps) {
    get_on([&] { static_cast<RunServices*>(context)->progress_.stage(name != nullptr ? name : "run", steps); });
  };
  progress_service_.step = [](void* context, int64_t done) {
    get_on([&] { static_cast<RunServices*>(context)->progress_.step(done); });
  };
  progress_service_.loaded = [](void* context, uint64_t done, uint64_t all) {
    get_on([&] { static_cast<RunServices*>(context)->progress_.loaded(done, all); });
  };
  progress_service_.cancelled = [](void* context) -> int32_t {
    return static_cast<RunServices*>(context)->cancel_.requested() ? 1 : 0;
  };
}

const void* RunServices::find(std::string_view id) const {
  if (id == FV_PROGRESS_SERVICE) return &progress_service_;
  if (id == FV_ATTENTION_SERVICE) return attention_;
  if (id == FV_CACHE_SERVICE) return cache_;
  return host_.find(id);
}

}  // namespace fastvideo::host
