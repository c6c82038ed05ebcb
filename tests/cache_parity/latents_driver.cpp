// The program without its command line: makes the videos that JSON lines on standard input ask for, and keeps latents.
//
// Run as: latents_driver INSTALL_TOML PLUGIN_FOLDER... A line is {"settings": {path: text}, "output": file}. The
// latents go to the file as bare float32 numbers; to standard output goes {"shape": [...], "left_out": [[steps of
// branch 0], ...]}.
#include <cstdio>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

#include "host/config/installation.hpp"
#include "host/run/run.hpp"

namespace fastvideo::host {
namespace {

using Json = nlohmann::json;

// Takes the latents of a run and passes over its frames.
class LatentsSink {
 public:
  explicit LatentsSink(const std::string& file) : file_(file, std::ios::binary) {
    abi_.struct_size = sizeof abi_;
    abi_.context = this;
    abi_.accept = [](void* context, const fv_pipeline_output* output, fv_text* error) {
      return guard(error, [&] { static_cast<LatentsSink*>(context)->accept(*output); });
    };
  }
  const fv_pipeline_sink& get() const { return abi_; }
  const std::vector<int64_t>& shape() const { return shape_; }

 private:
  void accept(const fv_pipeline_output& output) {
    if (output.kind != FV_OUTPUT_LATENTS) return;
    const fv_tensor& x = *output.tensor;
    shape_.assign(x.shape, x.shape + x.ndim);
    int64_t count = 1;
    for (int32_t i = x.ndim; i-- > 0; count *= x.shape[i])
      if (x.strides[i] != count && x.shape[i] > 1) throw std::runtime_error("the latents are not dense");
    file_.write(static_cast<const char*>(x.data), count * static_cast<int64_t>(sizeof(float)));
    if (!file_.flush()) throw std::runtime_error("the latents cannot be written");
  }

  std::ofstream file_;
  std::vector<int64_t> shape_;
  fv_pipeline_sink abi_{};
};

Settings settings_of(const Schema& schema, std::vector<Given> given, const Json& wanted) {
  for (const auto& [path, text] : wanted.items())
    given.push_back({path, text.get<std::string>(), Source::command_line("--" + path), true});
  return resolve(schema, given, Unknown::refuse);
}

Json make(const Json& job, const std::vector<Given>& installed, const Schema& schema, const Catalog& catalog) {
  const Settings settings = settings_of(schema, installed, job.at("settings"));
  // Plugins may use them until the process ends.
  static const auto& host = *new HostServices(settings, static_cast<int>(settings.integer("run.threads")));
  const CancelToken cancel;
  LoadedModel model(settings, catalog, host);
  CheckedRequest request(model, settings);
  LatentsSink sink(job.at("output").get<std::string>());
  const RunResult result = run(request, nullptr, sink.get(), cancel);
  return {{"shape", sink.shape()}, {"left_out", result.left_out}};
}

void serve(const std::string& install, const std::vector<std::string>& folders) {
  std::vector<SearchFolder> searched;
  for (const std::string& folder : folders) searched.push_back({folder, "test", true});
  Schema schema = Schema::host();
  Catalog catalog = Catalog::discover(searched);
  add_options(schema, catalog);
  const std::vector<Given> installed = read_config_files({install});
  for (std::string line; std::getline(std::cin, line);)
    std::cout << make(Json::parse(line), installed, schema, catalog) << std::endl;
}

}  // namespace
}  // namespace fastvideo::host

int main(int argc, char** argv) {
  try {
    if (argc < 3) throw std::runtime_error("latents_driver INSTALL_TOML PLUGIN_FOLDER...");
    fastvideo::host::serve(argv[1], {argv + 2, argv + argc});
    return 0;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
}
