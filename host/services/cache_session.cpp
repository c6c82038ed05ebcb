#include "host/services/cache_session.hpp"

#include <algorithm>
#include <stdexcept>

#include "host/selection/border.hpp"
#include "host/selection/item_values.hpp"

namespace fastvideo::host {
namespace {

[[noreturn]] void throw_fault(const std::string& who, const CacheFault& fault) {
  if (fault.is_of_pipeline) throw RequestError(who + " " + fault.text);
  throw std::runtime_error(who + " breaks the contract of caching: " + fault.text + kTellItsAuthor);
}

// The pipeline is to give room for the coefficients of each answer.
bool has_room(const fv_cache_decision* decision) { return decision != nullptr && decision->coefficients != nullptr; }

fv_status no_room(fv_text* error) {
  write_text(error, "the pipeline gives no room for the answer of its caching strategy (NULL)");
  return FV_FAILED;
}

}  // namespace

CacheStrategyHandle::CacheStrategyHandle(Loader& loader, const Settings& settings, const fv_services* host,
                                         const CatalogItem& item)
    : item_(item), name_(item.item->full_name()), kept_name_(kept_text(name_)) {
  const Value::Table values = item_values(settings, *item.item);
  table_ = loader.load(item).interface<fv_cache_interface>();
  strategy_ = created<fv_cache_strategy>(*table_, host, values, name_, "strategy");
}

CacheStrategyHandle::CacheStrategyHandle(const StandIn& stand_in)
    : item_(*stand_in.item),
      name_(item_.item->full_name()),
      kept_name_(kept_text(name_)),
      table_(static_cast<const fv_cache_interface*>(stand_in.table)),
      strategy_(static_cast<fv_cache_strategy*>(stand_in.object)),
      is_owned_(false) {}

CacheStrategyHandle::~CacheStrategyHandle() {
  if (is_owned_) released(in("destroy"), [&] { table_->destroy(strategy_); });
}

void CacheStrategyHandle::require_support(const fv_cache_session_info& info) const {
  TextBuffer reason;
  fv_cache_support support{};
  support.struct_size = sizeof support;
  support.reason = *reason.get();
  call_or_throw(in("supports"), name_,
                [&](fv_text* error) { return table_->supports(strategy_, &info, &support, error); });
  if (support.supported > 1)
    throw_fault(name_,
                {"it says neither yes nor no to a session (supported = " + std::to_string(support.supported) + ")"});
  if (support.supported == 0)
    throw RequestError("caching with " + name_ + " is not possible here: " + reason.str() +
                           "; [cache] strategy = \"none\" turns caching off",
                       "cache.strategy");
}

CacheService::CacheService(CacheStrategyHandle& strategy, std::string preset)
    : strategy_(strategy), preset_(std::move(preset)), service_{} {
  service_.struct_size = sizeof service_;
  service_.context = this;
  service_.strategy = strategy.item().item->name.c_str();
  service_.open = [](void* context, const fv_cache_session_info* info, fv_cache_session** session, fv_cache_plan* plan,
                     fv_text* error) {
    return serve(error, [&] {
      if (info == nullptr || session == nullptr || plan == nullptr)
        throw std::runtime_error(
            "the pipeline opens caching without a session's info, or room for a session or a plan");
      static_cast<CacheService*>(context)->open(*info, session, *plan);
    });
  };
  service_.schedule = [](void* context, auto... arguments) {
    return static_cast<CacheService*>(context)->schedule(arguments...);
  };
  service_.decide = [](void* context, auto... arguments) {
    return static_cast<CacheService*>(context)->decide(arguments...);
  };
  service_.observe = [](void* context, fv_cache_session* session, const fv_cache_point* point,
                        const double* measurements, fv_text* error) {
    auto& service = *static_cast<CacheService*>(context);
    const auto observe = service.strategy_.table().observe;
    if (observe == nullptr) return fv_status{FV_OK};
    const fv_status status =
        called(service.strategy_.in("observe"), error, [&] { return observe(session, point, measurements, error); });
    return with_name(status, service.strategy_.name(), error);
  };
  service_.close = [](void* context, fv_cache_session* session) {
    const CacheStrategyHandle& opened = static_cast<CacheService*>(context)->strategy_;
    released(opened.in("close"), [&] { opened.table().close(session); });
  };
}

void CacheService::open(fv_cache_session_info info, fv_cache_session** session, fv_cache_plan& plan) {
  if (const CacheFault fault = fault_of_offer(info))
    throw std::runtime_error("the pipeline offers a loop that cannot be: " + fault.text);
  if (info.preset == nullptr || *info.preset == '\0') info.preset = preset_.c_str();
  if (info.model == nullptr) info.model = "";
  strategy_.require_support(info);
  const fv_cache_interface& table = strategy_.table();
  *session = nullptr;
  plan = {};
  plan.struct_size = sizeof plan;
  call_or_throw(strategy_.in("open"), strategy_.name(),
                [&](fv_text* error) { return table.open(strategy_.strategy(), &info, session, &plan, error); });
  plan.struct_size = sizeof plan;  // whatever it is now
  if (*session == nullptr) throw std::runtime_error(strategy_.name() + ": open gave no session and no error");
  if (const CacheFault fault = fault_of_plan(plan, info, table)) {
    released(strategy_.in("close"), [&] { table.close(*session); });
    throw_fault(strategy_.name(), fault);
  }
  answers_ = CacheAnswers(plan, info);
  decisions_ = static_cast<size_t>(info.steps) * static_cast<size_t>(info.branches);
  left_out_.assign(static_cast<size_t>(info.branches), {});
}

fv_status CacheService::schedule(fv_cache_session* session, const double* measurements,
                                 fv_cache_decision* const* decisions, fv_text* error) {
  if (decisions == nullptr || !std::all_of(decisions, decisions + decisions_, has_room)) return no_room(error);
  answers_.lend({decisions, decisions_});
  const fv_status status = called(strategy_.in("schedule"), error,
                                  [&] { return strategy_.table().schedule(session, measurements, decisions, error); });
  std::string fault = answers_.take_back();
  if (status != FV_OK) return with_name(status, strategy_.name(), error);
  std::vector<std::vector<int32_t>> left_out;
  if (fault.empty()) fault = answers_.fault_of_schedule(decisions, left_out);
  if (!fault.empty()) return broken(fault, error);
  decided_ += decisions_;
  for (const std::vector<int32_t>& branch : left_out) reused_ += branch.size();
  left_out_ = std::move(left_out);
  return FV_OK;
}

// Passes are counted for each branch, however many run at once.
fv_status CacheService::decide(fv_cache_session* session, const fv_cache_point* point, const double* measurements,
                               fv_cache_decision* decision, fv_text* error) {
  if (point == nullptr || point->batch < 1 || point->branches == nullptr) {
    write_text(error,
               "the pipeline asks about a pass of " + std::to_string(point != nullptr ? point->batch : 0) + " rows");
    return FV_FAILED;
  }
  if (!has_room(decision)) return no_room(error);
  answers_.lend({&decision, 1});
  const fv_status status = called(strategy_.in("decide"), error, [&] {
    return strategy_.table().decide(session, point, measurements, decision, error);
  });
  std::string fault = answers_.take_back();
  if (status != FV_OK) return with_name(status, strategy_.name(), error);
  branches_.assign(point->branches, point->branches + point->batch);
  std::sort(branches_.begin(), branches_.end());
  branches_.erase(std::unique(branches_.begin(), branches_.end()), branches_.end());
  if (fault.empty()) fault = answers_.fault(point->step, branches_, *decision);
  if (!fault.empty()) return broken(fault, error);
  answers_.note(branches_, decision->action == FV_CACHE_COMPUTE);
  decided_ += branches_.size();
  if (decision->action == FV_CACHE_COMPUTE) return FV_OK;
  reused_ += branches_.size();
  for (const int32_t branch : branches_)
    if (branch >= 0 && static_cast<size_t>(branch) < left_out_.size())
      left_out_[static_cast<size_t>(branch)].push_back(point->step);
  return FV_OK;
}

fv_status CacheService::broken(const std::string& fault, fv_text* error) const {
  write_text(error, strategy_.name() + " breaks the contract of caching: " + fault + kTellItsAuthor);
  return FV_FAILED;
}

}  // namespace fastvideo::host
