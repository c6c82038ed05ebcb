// A model: opened, described, closed.
#include "host/plugins/loader.hpp"
#include "host/runtime/handles.hpp"
#include "host/runtime/settings.hpp"
#include "host/runtime/sized.hpp"

namespace fastvideo::host {
namespace {

fvr_model_info info_of(const LoadedModel& model, Texts& texts) {
  const CatalogItem& pipeline = model.item();
  fvr_model_info info{};
  info.name = texts.keep(model.folder().name);
  info.folder = texts.keep(model.folder().path.string());
  info.model_class = texts.keep(model.folder().class_name);
  info.pipeline = texts.keep(pipeline.item->full_name());
  info.plugin = texts.keep(pipeline.plugin->manifest.id);
  info.plugin_version = texts.keep(pipeline.plugin->manifest.version);
  info.library = texts.keep(pipeline.item->library.string());
  info.device = texts.keep(model.device().name);
  info.device_name = texts.keep(model.device().description);
  info.device_reason = texts.keep(model.device().why);
  return info;
}

void require_wanted(const CancelToken& cancel) {
  if (cancel.requested()) throw CancelledError("cancelled while the model was opened");
}

}  // namespace

Model::Model(std::shared_ptr<const Runtime> of, std::vector<Given> all, const CancelToken& cancel)
    : runtime(std::move(of)), given(std::move(all)) {
  const LoaderTurn turn;
  require_wanted(cancel);
  loaded =
      std::make_unique<LoadedModel>(resolve(runtime->schema, given, Unknown::refuse), runtime->catalog, *runtime->host);
  loaded->check_beside_runs();
  require_wanted(cancel);
  loaded->checker();  // opens the libraries, and refuses what the folder lacks
  require_wanted(cancel);
  loaded->pipeline();
  info = info_of(*loaded, texts);
}

Model::~Model() {
  const LoaderTurn turn;
  loaded.reset();
}

}  // namespace fastvideo::host

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace)

fvr_status fvr_model_load(fvr_runtime* runtime, const fvr_setting* settings, uint32_t setting_count, fvr_cancel* cancel,
                          fvr_model** model, fvr_error* error) {
  return guarded(error, [&] {
    required(model, "model") = nullptr;
    const CancelToken never;
    const auto& of = required(runtime, "runtime").runtime;
    auto made = std::make_unique<fvr_model>();
    std::vector<Given> given = of->given;
    append(given, read_settings(settings, setting_count, Scope::model));
    made->model = std::make_shared<Model>(of, std::move(given), cancel != nullptr ? cancel->token : never);
    *model = made.release();
  });
}

void fvr_model_close(fvr_model* model) { delete model; }

fvr_status fvr_model_describe(const fvr_model* model, fvr_model_info* info, fvr_error* error) {
  return guarded(error, [&] { write_sized(required(model, "model").model->info, info, "fvr_model_info"); });
}
