#include "host/model/loaded_model.hpp"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "host/error/error.hpp"
#include "host/model/pipeline_choice.hpp"
#include "host/plugins/library_file.hpp"

namespace fastvideo::host {
namespace {

// What belongs to a model rather than to a request.
constexpr std::array<std::string_view, 4> kOfModel = {"request.model_path", "request.pipeline", "run.device",
                                                      "libraries.path"};

bool runs_on_cuda(const CatalogItem* item) {
  const auto& devices = item->item->limits.devices;
  return !devices || std::find(devices->begin(), devices->end(), "cuda") != devices->end();
}

// Why auto should not take a CUDA device; empty if nothing speaks against it.
std::string against_cuda(const Settings& settings, const std::vector<const CatalogItem*>& pipelines) {
  const auto on_cuda = std::find_if(pipelines.begin(), pipelines.end(), runs_on_cuda);
  if (on_cuda == pipelines.end()) return "the pipeline runs on the CPU only";
  if ((*on_cuda)->item->needs.torch.empty()) return {};
  const std::vector<std::string> missing = missing_libraries("libtorch_cuda.so", library_path(settings));
  if (missing.empty()) return {};
  return "LibTorch is installed without its CUDA libraries (" + missing.front() +
         " is missing; ./dev setup cuda installs them)";
}

std::string text_of(const Setting* setting) { return setting != nullptr ? setting->value.to_toml() : "nothing"; }

}  // namespace

LoadedModel::LoadedModel(const Settings& settings, const Catalog& catalog, const HostServices& host)
    : settings_(settings),
      catalog_(catalog),
      host_(host),
      folder_(open_model_folder(settings)),
      device_(resolve_device(settings,
                             [&] { return against_cuda(settings, possible_pipelines(settings, catalog, folder_)); })),
      item_(chosen_pipeline(possible_pipelines(settings, catalog, folder_), folder_, device_)),
      loader_(library_path(settings), host.get(), device_.is_cuda()),
      backends_(loader_, host.get()),
      self_tests_(device_.facts) {}

OpenPipeline& LoadedModel::pipeline() {
  if (!pipeline_) pipeline_.emplace(loader_, host_.get(), item_, folder_);
  return *pipeline_;
}

OpenPipeline& LoadedModel::checker() {
  if (!checks_beside_runs_) return pipeline();
  if (!checker_) checker_.emplace(loader_, host_.get(), item_, folder_);
  return *checker_;
}

void LoadedModel::require_same(const Settings& settings) const {
  for (const std::string_view path : kOfModel) {
    const std::string ours = text_of(settings_.find(path)), theirs = text_of(settings.find(path));
    if (ours == theirs) continue;
    std::string why = "the request says ";
    why.append(path).append(" = ").append(theirs).append(", and the model was opened with ").append(ours);
    throw RequestError(why.append(": open another model for it"), std::string(path));
  }
}

}  // namespace fastvideo::host
