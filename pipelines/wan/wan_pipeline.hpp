// Wan2.1 text-to-video: prompt -> text encoder -> denoising loop -> VAE -> frames.
#pragma once

#include <fastvideo/pipeline.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "pipelines/common/attention/planned_site.hpp"
#include "pipelines/common/residency/residency.hpp"
#include "pipelines/wan/components.hpp"
#include "pipelines/wan/folder/wan_folder.hpp"
#include "pipelines/wan/request.hpp"

namespace fastvideo::wan {

/// A folder in the format of diffusers' WanPipeline. check reads the weights' headers and opens the tokenizer; weights
/// are read by run, one component at a time, and the parameter offload says how long components stay loaded. One thread
/// at a time.
class WanPipeline final : public Pipeline {
 public:
  /// Reads the configurations. Throws Refused, with file and field, if this pipeline cannot run the folder.
  WanPipeline(const Host& host, const std::string& folder);

  void check(const Options& parameters, const fv_pipeline_plan_sink& sink) override;
  /// For fastvideo::MeasuresEarly: reads the time embedding's weights only.
  std::vector<double> measure_early(const Options& parameters, std::span<const fv_cache_measure> measures);
  void run(const Host& run, const Options& parameters, const PipelineSink& sink) override;

 private:
  void make_video(const Host& run, const Options& parameters, const PipelineSink& sink);
  // A request's parameters, typed and checked.
  struct Asked {
    Request request;
    Residency residency;
    Texts texts;
    LatentShape shape;
  };
  /// Parses a request, chooses the weights of its variant, and checks that all components fit.
  Asked prepared(const Options& parameters);
  std::vector<PlannedSite> sites_of(const Asked& asked) const;
  void choose_weights(const std::string& variant);

  Host host_;
  WanFolder folder_;
  std::optional<std::string> variant_;  // the variant whose weights are chosen
  LatentGeometry geometry_;
  Components components_;
};

}  // namespace fastvideo::wan
