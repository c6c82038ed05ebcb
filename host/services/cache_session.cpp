#include "host/services/cache_session.hpp"

#include <algorithm>
#include <stdexcept>

#include "host/selection/border.hpp"
#include "host/selection/item_values.hpp"

namespace fastvideo {
namespace {

// What the header promises of a plan, so that a pipeline may rely on it.
void require_valid(const fv_cache_plan& plan, const fv_cache_session_info& info, const fv_cache_interface& table,
                   const std::string& who) {
  const std::string fault = who + " breaks the contract of caching: ";
  if (plan.cut.kind == 0 || (plan.cut.kind & (plan.cut.kind - 1)) != 0)
    throw std::runtime_error(fault + "a session cuts one thing");
  if ((plan.cut.kind & info.cuts) == 0)
    throw RequestError(who + " leaves out what this pipeline cannot leave out (cut " + std::to_string(plan.cut.kind) +
                       "; offered: " + std::to_string(info.cuts) + ")");
  if (plan.cut.kind == FV_CUT_BLOCKS &&
      (plan.cut.first < 0 || plan.cut.first >= plan.cut.last || plan.cut.last > info.blocks))
    throw std::runtime_error(fault + "blocks [" + std::to_string(plan.cut.first) + ", " +
                             std::to_string(plan.cut.last) + ") of " + std::to_string(info.blocks));
  if (plan.cut.kind == FV_CUT_BRANCH && (plan.cut.first < 0 || plan.cut.first >= info.branches))
    throw std::runtime_error(fault + "branch " + std::to_string(plan.cut.first) + " of " +
                             std::to_string(info.branches));
  if ((plan.measure_count > 0 && plan.measures == nullptr) || (plan.slot_count > 0 && plan.slots == nullptr))
    throw std::runtime_error(fault + "measures or slots are counted but not given");
  for (uint32_t i = 0; i < plan.measure_count; ++i) {
    const std::string_view signal = plan.measures[i].signal;
    const auto offered = [&](const char* name) { return signal == name; };
    const char* const* found = std::find_if(info.signals, info.signals + info.signal_count, offered);
    if (found == info.signals + info.signal_count)
      throw RequestError(who + " wants the signal '" + std::string(signal) + "', which this pipeline cannot measure");
    if (plan.is_static != 0 && info.early[found - info.signals] == 0)
      throw std::runtime_error(fault + "it plans ahead by '" + std::string(signal) +
                               "', which is known in the loop only");
  }
  if (plan.is_static != 0 ? table.schedule == nullptr : table.decide == nullptr)
    throw std::runtime_error(fault + "it has no " + (plan.is_static != 0 ? "schedule" : "decide"));
}

}  // namespace

CacheStrategyHandle::CacheStrategyHandle(Loader& loader, const Settings& settings, const fv_services* host,
                                         const CatalogItem& item)
    : item_(item), name_(item.item->full_name()) {
  AbiValues memory;
  const std::span<const fv_entry> options = memory.add(item_values(settings, *item.item));
  table_ = loader.load(item).interface<fv_cache_interface>();
  TextBuffer text;
  const fv_status status = called("create", text.get(), [&] {
    return table_->create(host, options.data(), static_cast<uint32_t>(options.size()), &strategy_, text.get());
  });
  require_ok(status, text, name_);
  if (strategy_ == nullptr) throw std::runtime_error(name_ + ": create gave no strategy and no error");
}

CacheStrategyHandle::CacheStrategyHandle(const OpenCalibration& calibration)
    : item_(calibration.item()),
      name_(item_.item->full_name()),
      table_(calibration.table<fv_cache_interface>()),
      strategy_(calibration.object<fv_cache_strategy>()),
      is_owned_(false) {}

CacheStrategyHandle::~CacheStrategyHandle() {
  if (is_owned_) released(name_, "destroy", [&] { table_->destroy(strategy_); });
}

void CacheStrategyHandle::require_support(const fv_cache_session_info& info) const {
  TextBuffer reason;
  TextBuffer error;
  fv_cache_support support{};
  support.struct_size = sizeof support;
  support.reason = *reason.get();
  require_ok(called("supports", error.get(), [&] { return table_->supports(strategy_, &info, &support, error.get()); }),
             error, name_);
  if (support.supported == 0)
    throw RequestError("caching with " + name_ + " is not possible here: " + reason.str() +
                       "; [cache] strategy = \"none\" turns caching off");
}

CacheService::CacheService(CacheStrategyHandle& strategy, std::string preset)
    : strategy_(strategy), preset_(std::move(preset)), service_{} {
  service_.struct_size = sizeof service_;
  service_.context = this;
  service_.strategy = strategy.item().item->name.c_str();
  service_.open = [](void* context, const fv_cache_session_info* info, fv_cache_session** session, fv_cache_plan* plan,
                     fv_text* error) {
    return serve(error, [&] { static_cast<CacheService*>(context)->open(*info, session, *plan); });
  };
  service_.schedule = [](void* context, fv_cache_session* session, const double* measurements,
                         fv_cache_decision* const* decisions, fv_text* error) {
    auto& service = *static_cast<CacheService*>(context);
    const fv_status status = called(
        "schedule", error, [&] { return service.strategy_.table().schedule(session, measurements, decisions, error); });
    if (status != FV_OK) return service.with_name(status, error);
    return service.note_schedule(decisions, error);
  };
  service_.decide = [](void* context, fv_cache_session* session, const fv_cache_point* point,
                       const double* measurements, fv_cache_decision* decision, fv_text* error) {
    auto& service = *static_cast<CacheService*>(context);
    const fv_status status = called("decide", error, [&] {
      return service.strategy_.table().decide(session, point, measurements, decision, error);
    });
    if (status != FV_OK) return service.with_name(status, error);
    return service.note(*decision, point->step, {point->branches, static_cast<std::size_t>(point->batch)}, error);
  };
  service_.observe = [](void* context, fv_cache_session* session, const fv_cache_point* point,
                        const double* measurements, fv_text* error) {
    auto& service = *static_cast<CacheService*>(context);
    const auto observe = service.strategy_.table().observe;
    if (observe == nullptr) return fv_status{FV_OK};
    return service.with_name(called("observe", error, [&] { return observe(session, point, measurements, error); }),
                             error);
  };
  service_.close = [](void* context, fv_cache_session* session) {
    const CacheStrategyHandle& strategy = static_cast<CacheService*>(context)->strategy_;
    released(strategy.name(), "close", [&] { strategy.table().close(session); });
  };
}

void CacheService::open(fv_cache_session_info info, fv_cache_session** session, fv_cache_plan& plan) {
  if (info.preset == nullptr || *info.preset == '\0') info.preset = preset_.c_str();
  strategy_.require_support(info);
  const fv_cache_interface& table = strategy_.table();
  TextBuffer text;
  require_ok(
      called("open", text.get(), [&] { return table.open(strategy_.strategy(), &info, session, &plan, text.get()); }),
      text, strategy_.name());
  try {
    require_valid(plan, info, table, strategy_.name());
  } catch (...) {
    released(strategy_.name(), "close", [&] { table.close(*session); });
    throw;
  }
  steps_ = info.steps;
  at_once_ = info.branches_at_once > 1;
  left_out_.assign(static_cast<std::size_t>(info.branches), {});
}

fv_status CacheService::note_schedule(fv_cache_decision* const* decisions, fv_text* error) {
  const std::size_t branches = left_out_.size();
  for (std::int32_t step = 0; step < steps_; ++step) {
    fv_cache_decision* const* of_step = &decisions[static_cast<std::size_t>(step) * branches];
    // Branches that run in one pass are left out together or not at all.
    const bool computes = std::any_of(of_step, of_step + branches,
                                      [](const fv_cache_decision* one) { return one->action == FV_CACHE_COMPUTE; });
    for (std::size_t branch = 0; branch < branches; ++branch) {
      fv_cache_decision noted = *of_step[branch];
      if (at_once_ && computes && noted.action == FV_CACHE_COMBINE) noted.action = FV_CACHE_COMPUTE;
      const auto number = static_cast<std::int32_t>(branch);
      if (const fv_status status = note(noted, step, {&number, 1}, error); status != FV_OK) return status;
    }
  }
  return FV_OK;
}

// rows: the branch of each row of a pass. Passes are counted for each branch, however many run at once.
fv_status CacheService::note(const fv_cache_decision& decision, std::int32_t step, std::span<const std::int32_t> rows,
                             fv_text* error) {
  if (decision.action > FV_CACHE_COMBINE) {
    write_text(error, strategy_.name() + ": gave the unknown answer " + std::to_string(decision.action));
    return FV_FAILED;
  }
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const auto earlier = rows.first(row);
    if (std::find(earlier.begin(), earlier.end(), rows[row]) != earlier.end()) continue;
    ++decided_;
    if (decision.action != FV_CACHE_COMBINE) continue;
    ++reused_;
    if (rows[row] >= 0 && static_cast<std::size_t>(rows[row]) < left_out_.size())
      left_out_[static_cast<std::size_t>(rows[row])].push_back(step);
  }
  return FV_OK;
}

fv_status CacheService::with_name(fv_status status, fv_text* error) const {
  if (status == FV_OK || error == nullptr || error->data == nullptr || error->capacity == 0) return status;
  write_text(error, strategy_.name() + ": " + std::string(error->data));
  return status;
}

}  // namespace fastvideo
