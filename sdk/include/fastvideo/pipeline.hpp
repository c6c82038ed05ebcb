// fastvideo/pipeline.hpp - a model pipeline as one class.
#pragma once

#include <algorithm>
#include <concepts>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fastvideo/core.hpp"
#include "fastvideo/early_signals.h"
#include "fastvideo/pipeline.h"

namespace fastvideo {

/// The progress service of a run.
class Progress {
 public:
  explicit Progress(const Host& run) : service_(run.service<fv_progress_service>(FV_PROGRESS_SERVICE)) {}

  void stage(const char* name, int64_t steps = 0) const {
    if (service_ != nullptr) service_->stage(service_->context, name, steps);
  }
  /// `done` steps of the stage are complete so far. Throws Cancelled if the user asked to stop.
  void step(int64_t done) const {
    if (service_ != nullptr) service_->step(service_->context, done);
    throw_if_cancelled();
  }
  /// `done` of the stage's `all` bytes of weights are in memory. Throws Cancelled if the user asked to stop.
  void loaded(uint64_t done, uint64_t all) const {
    if (service_ != nullptr && service_->struct_size >= sizeof *service_)
      service_->loaded(service_->context, done, all);
    throw_if_cancelled();
  }
  void throw_if_cancelled() const {
    if (service_ != nullptr && service_->cancelled(service_->context) != 0) throw Cancelled();
  }

 private:
  const fv_progress_service* service_;
};

/// Where the outputs of a run go.
class PipelineSink {
 public:
  explicit PipelineSink(const fv_pipeline_sink& sink) : sink_(sink) {}

  /// Called once, before all frames: size, frame count and rate of the video.
  void video(int32_t width, int32_t height, int64_t frames, int32_t fps_numerator, int32_t fps_denominator) const {
    fv_pipeline_output output = of_kind(FV_OUTPUT_VIDEO);
    output.width = width;
    output.height = height;
    output.frame_count = frames;
    output.fps_numerator = fps_numerator;
    output.fps_denominator = fps_denominator;
    accept(output);
  }
  /// The next frames, uint8 [F, H, W, 3] on the CPU; borrowed for the call.
  void frames(const fv_tensor& tensor) const { tensor_of_kind(FV_OUTPUT_FRAMES, tensor); }
  /// The denoised latents, float32 [B, C, T, h, w] on the CPU; borrowed for the call.
  void latents(const fv_tensor& tensor) const { tensor_of_kind(FV_OUTPUT_LATENTS, tensor); }
  /// Denoising steps from one preview to the next; 0: no previews.
  int32_t preview_every() const {
    return sink_.struct_size >= sizeof(sink_) && sink_.preview_every > 0 ? sink_.preview_every : 0;
  }
  /// A small picture of what the video will be, uint8 [F, h, w, 3] on the CPU; borrowed for the call.
  void preview(const fv_tensor& tensor) const { tensor_of_kind(FV_OUTPUT_PREVIEW, tensor); }

 private:
  static fv_pipeline_output of_kind(uint32_t kind) {
    fv_pipeline_output output{};
    output.struct_size = sizeof(output);
    output.kind = kind;
    return output;
  }
  void tensor_of_kind(uint32_t kind, const fv_tensor& tensor) const {
    fv_pipeline_output output = of_kind(kind);
    output.tensor = &tensor;
    accept(output);
  }
  void accept(const fv_pipeline_output& output) const {
    TextBuffer text;
    check(sink_.accept(sink_.context, &output, text.get()), text);
  }

  const fv_pipeline_sink& sink_;
};

/// A pipeline over one model folder; constructed from (const Host&, const std::string& folder). Threads: one at a time.
class Pipeline {
 public:
  virtual ~Pipeline() = default;

  /// Tells sink what the request needs, from the configurations alone. Throws Refused if the request is impossible.
  virtual void check(const Options& request, const fv_pipeline_plan_sink& sink) = 0;

  /// Makes the video. `run` gives the services of this run.
  virtual void run(const Host& run, const Options& request, const PipelineSink& sink) = 0;
};

/// A pipeline that can also measure its early signals before a run: norms over the steps of `request`,
/// [steps][measures], as the request's run hands them to a strategy's schedule.
template <class P>
concept MeasuresEarly = requires(P& p, const Options& request, std::span<const fv_cache_measure> measures) {
  { p.measure_early(request, measures) } -> std::same_as<std::vector<double>>;
};

namespace detail {

/// The C table of a pipeline class.
template <class P>
struct PipelineTable {
  static Pipeline& pipeline(fv_pipeline* p) { return *reinterpret_cast<Pipeline*>(p); }
  static Options parameters(const fv_pipeline_request& r) { return {r.parameters, r.parameter_count}; }

  static fv_status create(const fv_services* host, const char* folder, fv_pipeline** out, fv_text* error) noexcept {
    return guard(error, [&] {
      std::unique_ptr<Pipeline> made = std::make_unique<P>(Host(host), std::string(folder));
      *out = reinterpret_cast<fv_pipeline*>(made.release());
    });
  }
  static void destroy(fv_pipeline* p) noexcept { delete &pipeline(p); }
  static fv_status check(fv_pipeline* p, const fv_pipeline_request* request, const fv_pipeline_plan_sink* sink,
                         fv_text* error) noexcept {
    return guard(error, [&] { pipeline(p).check(parameters(*request), *sink); });
  }
  static fv_status run(fv_pipeline* p, const fv_services* services, const fv_pipeline_request* request,
                       const fv_pipeline_sink* sink, fv_text* error) noexcept {
    return guard(error, [&] { pipeline(p).run(Host(services), parameters(*request), PipelineSink(*sink)); });
  }

  static fv_status measure_early(fv_pipeline* p, const fv_pipeline_request* request, const fv_cache_measure* measures,
                                 uint32_t measure_count, double* values,
                                 fv_text* error) noexcept requires MeasuresEarly<P> {
    return guard(error, [&] {
      const std::vector<double> all =
          static_cast<P&>(pipeline(p)).measure_early(parameters(*request), {measures, measure_count});
      std::copy(all.begin(), all.end(), values);
    });
  }

  static const void* get_interface(const char* id) {
    if constexpr (MeasuresEarly<P>) {
      static const fv_early_signals_interface early = {sizeof(fv_early_signals_interface), 0, measure_early};
      if (std::strcmp(id, FV_EARLY_SIGNALS_INTERFACE) == 0) return &early;
    }
    static const fv_pipeline_interface table = {sizeof(fv_pipeline_interface), 0, create, destroy, check, run};
    return std::strcmp(id, FV_PIPELINE_INTERFACE) == 0 ? &table : nullptr;
  }
};

}  // namespace detail

/// A pipeline of a plugin, for FASTVIDEO_PLUGIN.
template <class P>
fv_item pipeline(const char* name, const char* implementation) {
  return detail::item("pipeline", name, implementation, detail::PipelineTable<P>::get_interface);
}

}  // namespace fastvideo
