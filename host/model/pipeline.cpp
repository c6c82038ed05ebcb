#include "host/model/pipeline.hpp"

#include <algorithm>

#include "host/plugins/plugin_code.hpp"
#include "host/selection/attention_contract.hpp"
#include "host/selection/border.hpp"
#include "host/services/cache_contract.hpp"

namespace fastvideo::host {
namespace {

template <class T>
std::vector<T> copied(const T* first, int32_t count) {
  return first != nullptr && count > 0 ? std::vector<T>(first, first + count) : std::vector<T>();
}

std::string text_or_empty(const char* text) { return text != nullptr ? text : ""; }

bool offers(const PipelineEstimate& estimate, const std::string& signal) {
  if (estimate.cache == nullptr) return false;
  const fv_cache_session_info& info = estimate.cache->get();
  return std::any_of(info.signals, info.signals + info.signal_count, [&](const char* name) { return signal == name; });
}

// What caching keeps is added to the peak of a stage: of one that was told, and of something that a strategy can keep.
void require_ledger(const PipelineEstimate& estimate, const std::string& who) {
  for (const PipelineEstimate::Kept& kept : estimate.kept) {
    if (std::ranges::count(estimate.peaks, kept.stage, &PipelineEstimate::Bytes::name) == 0)
      throw std::runtime_error(who + ": it says what caching keeps in the stage '" + kept.stage +
                               "', of which it gives no peak");
    if (kept.what != "blocks" && !offers(estimate, kept.what))
      throw std::runtime_error(who + ": it says how much caching keeps of '" + kept.what +
                               "', which is neither \"blocks\" nor a signal that it offers");
  }
}

// What `check` reports goes into an estimate. The functions must not throw: what they throw is kept until check is
// back.
struct EstimateSink {
  PipelineEstimate estimate;
  std::exception_ptr failure;
  fv_pipeline_plan_sink abi{};

  EstimateSink() {
    abi.struct_size = sizeof abi;
    abi.context = this;
    abi.site = [](void* context, const fv_attention_site* site, int64_t runs) {
      keep(context, [&](PipelineEstimate& e) {
        require_possible(site);
        e.sites.push_back({std::make_unique<AttentionSiteCopy>(*site), runs});
      });
    };
    abi.component = [](void* context, const char* name, uint64_t bytes) {
      keep(context, [&](PipelineEstimate& e) { e.components.push_back({text_or_empty(name), bytes}); });
    };
    abi.peak = [](void* context, const char* stage, uint64_t bytes) {
      keep(context, [&](PipelineEstimate& e) { e.peaks.push_back({text_or_empty(stage), bytes}); });
    };
    abi.corrected = [](void* context, const char* parameter, const char* asked, const char* used, const char* why) {
      keep(context, [&](PipelineEstimate& e) {
        e.corrections.push_back(
            {text_or_empty(parameter), text_or_empty(asked), text_or_empty(used), text_or_empty(why)});
      });
    };
    abi.cache = [](void* context, const fv_cache_session_info* info) {
      keep(context, [&](PipelineEstimate& e) {
        if (info == nullptr) throw std::runtime_error("what it offers to caching is NULL");
        if (const CacheFault fault = fault_of_offer(*info))
          throw std::runtime_error("it offers caching a loop that cannot be: " + fault.text);
        e.cache = std::make_unique<CacheInfoCopy>(*info);
      });
    };
    abi.kept = [](void* context, const char* stage, const char* what, uint64_t bytes) {
      keep(context, [&](PipelineEstimate& e) { e.kept.push_back({text_or_empty(stage), text_or_empty(what), bytes}); });
    };
  }

  template <class Body>
  static void keep(void* context, Body&& body) noexcept {
    auto& self = *static_cast<EstimateSink*>(context);
    try {
      body(self.estimate);
    } catch (...) {
      if (!self.failure) self.failure = std::current_exception();
    }
  }

  // What goes wrong in it, behind the pipeline's name.
  void require_whole(const std::string& who) const {
    if (!failure) return require_ledger(estimate, who);
    try {
      std::rethrow_exception(failure);
    } catch (const RequestError& e) {
      throw RequestError(who + ": " + e.what());
    } catch (const std::exception& e) {
      throw std::runtime_error(who + ": " + e.what());
    }
  }
};

}  // namespace

CacheInfoCopy::CacheInfoCopy(const fv_cache_session_info& info)
    : info_(info),
      model_(text_or_empty(info.model)),
      preset_(text_or_empty(info.preset)),
      early_(copied(info.early, static_cast<int32_t>(info.signal_count))),
      sigmas_(copied(info.sigmas, info.steps + 1)),
      timesteps_(copied(info.timesteps, info.steps)),
      expert_of_step_(copied(info.expert_of_step, info.steps)) {
  for (uint32_t i = 0; i < info.signal_count; ++i) signals_.emplace_back(info.signals[i]);
  for (const std::string& signal : signals_) signal_names_.push_back(signal.c_str());
  info_.model = model_.c_str();
  info_.preset = preset_.c_str();
  info_.signals = signal_names_.data();
  info_.early = early_.data();
  info_.sigmas = sigmas_.data();
  info_.timesteps = timesteps_.data();
  info_.expert_of_step = expert_of_step_.data();
}

void CacheInfoCopy::name_preset(const std::string& name) {
  if (!preset_.empty()) return;
  preset_ = name;
  info_.preset = preset_.c_str();
}

std::vector<const fv_attention_site*> PipelineEstimate::site_pointers() const {
  std::vector<const fv_attention_site*> pointers;
  for (const Site& site : sites) pointers.push_back(&site.site->get());
  return pointers;
}

OpenPipeline::OpenPipeline(Loader& loader, const fv_services* host, const CatalogItem& item, const ModelFolder& folder)
    : item_(item), name_(item.item->full_name()) {
  const LoadedItem loaded = loader.load(item);
  table_ = loaded.interface<fv_pipeline_interface>();
  early_ = static_cast<const fv_early_signals_interface*>(
      further_table(loaded.code, *item.item, FV_EARLY_SIGNALS_INTERFACE, sizeof *early_,
                    {{"measure", offsetof(fv_early_signals_interface, measure)}}));
  call_or_throw(call_name("create", name_), name_,
                [&](fv_text* error) { return table_->create(host, folder.path.c_str(), &pipeline_, error); });
  if (pipeline_ == nullptr) throw std::runtime_error(name_ + ": create gave no pipeline and no error");
}

OpenPipeline::~OpenPipeline() {
  released(call_name("destroy", name_), [&] { table_->destroy(pipeline_); });
}

// A refusal that begins with the name of a parameter is about that one: "wan/torch: height 7 is not a multiple of 8",
// "wan/torch: the prompt is empty".
template <class Call>
void OpenPipeline::naming_parameter(Call&& call) const {
  try {
    std::forward<Call>(call)();
  } catch (const RequestError& e) {
    const std::string_view text = e.what();
    size_t begin = text.starts_with(name_ + ": ") ? name_.size() + 2 : 0;
    if (text.substr(begin).starts_with("the ")) begin += 4;
    const std::string_view word = text.substr(begin, text.find_first_of(" :=", begin) - begin);
    if (item_.item->option(word) == nullptr) throw;
    throw RequestError(e.what(), "request." + std::string(word));
  }
}

PipelineEstimate OpenPipeline::check(const fv_pipeline_request& request) {
  EstimateSink sink;
  naming_parameter([&] {
    call_or_throw(call_name("check", name_), name_,
                  [&](fv_text* error) { return table_->check(pipeline_, &request, &sink.abi, error); });
  });
  sink.require_whole(name_);
  return std::move(sink.estimate);
}

std::optional<std::vector<double>> OpenPipeline::measure_early(const fv_pipeline_request& request, int32_t steps,
                                                               std::span<const fv_cache_measure> measures) {
  if (early_ == nullptr) return std::nullopt;
  std::vector<double> values(static_cast<size_t>(steps) * measures.size());
  call_or_throw(call_name("measure", name_), name_, [&](fv_text* error) {
    return early_->measure(pipeline_, &request, measures.data(), static_cast<uint32_t>(measures.size()), values.data(),
                           error);
  });
  return values;
}

void OpenPipeline::run(const fv_services* services, const fv_pipeline_request& request, const fv_pipeline_sink& sink,
                       const CancelToken& cancel) {
  TextBuffer text;
  const fv_status status = called_and_cancellable(call_name("run", name_), cancel, text.get(), [&] {
    return table_->run(pipeline_, services, &request, &sink, text.get());
  });
  naming_parameter([&] { require_ok(status, text, name_); });
}

}  // namespace fastvideo::host
