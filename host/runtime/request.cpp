// A request: checked, and all that was decided for it.
#include "host/error/error.hpp"
#include "host/plugins/loader.hpp"
#include "host/runtime/handles.hpp"
#include "host/runtime/settings.hpp"
#include "host/runtime/sized.hpp"

namespace fastvideo::host {
namespace {

const Explanation& explanation_of(const fvr_request* request) {
  return *required(request, "request").request->explanation;
}

// What caching will leave out, [branches]; asked once.
const CacheSchedule& schedule_of(Request& request) {
  const ModelTurn turn(*request.model);
  const LoaderTurn loading;
  if (request.checked->cache() == nullptr) throw RequestError("caching is off: no step is left out", "cache.strategy");
  if (!request.schedule) request.schedule = cache_schedule(*request.checked);
  if (!request.schedule->is_known)
    throw RequestError("which steps are left out is not known before a run: " + request.schedule->why_not,
                       "cache.strategy");
  return *request.schedule;
}

}  // namespace

Request::Request(std::shared_ptr<Model> of, const std::vector<Given>& given) : model(std::move(of)) {
  std::vector<Given> all = model->given;
  append(all, given);
  const Settings settings = resolve(model->runtime->schema, all, Unknown::refuse);
  const LoaderTurn turn;
  checked = std::make_unique<CheckedRequest>(*model->loaded, settings);
  explanation = std::make_unique<Explanation>(*checked);
}

Request::~Request() {
  const LoaderTurn turn;
  checked.reset();
}

}  // namespace fastvideo::host

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace)

fvr_status fvr_check(fvr_model* model, const fvr_setting* settings, uint32_t setting_count, fvr_request** request,
                     fvr_error* error) {
  return guarded(error, [&] {
    required(request, "request") = nullptr;
    auto made = std::make_unique<fvr_request>();
    made->request = std::make_shared<Request>(required(model, "model").model,
                                              read_settings(settings, setting_count, Scope::request));
    *request = made.release();
  });
}

void fvr_request_close(fvr_request* request) { delete request; }

fvr_status fvr_request_describe(const fvr_request* request, fvr_request_info* info, fvr_error* error) {
  return guarded(error, [&] { write_sized(explanation_of(request).info, info, "fvr_request_info"); });
}

fvr_status fvr_request_site(const fvr_request* request, uint32_t index, fvr_site* site, fvr_error* error) {
  return guarded(error, [&] { write_sized(entry(explanation_of(request).sites, index, "site"), site, "fvr_site"); });
}

fvr_status fvr_request_reason(const fvr_request* request, uint32_t site, uint32_t index, fvr_reason* reason,
                              fvr_error* error) {
  return guarded(error, [&] {
    write_sized(entry(entry(explanation_of(request).reasons, site, "site"), index, "reason"), reason, "fvr_reason");
  });
}

fvr_status fvr_request_parameter(const fvr_request* request, uint32_t index, fvr_parameter* parameter,
                                 fvr_error* error) {
  return guarded(error, [&] {
    write_sized(entry(explanation_of(request).parameters, index, "parameter"), parameter, "fvr_parameter");
  });
}

fvr_status fvr_request_memory(const fvr_request* request, uint32_t index, fvr_memory* memory, fvr_error* error) {
  return guarded(error,
                 [&] { write_sized(entry(explanation_of(request).memory, index, "estimate"), memory, "fvr_memory"); });
}

fvr_status fvr_request_left_out(fvr_request* request, uint32_t branch, const int32_t** steps, uint32_t* count,
                                fvr_error* error) {
  return guarded(error, [&] {
    const std::vector<int32_t>& all =
        entry(schedule_of(*required(request, "request").request).left_out, branch, "branch");
    required(count, "count") = static_cast<uint32_t>(all.size());
    required(steps, "steps") = all.data();
  });
}
