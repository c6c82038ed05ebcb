// Checks of pipelines. Without a model folder a pipeline can only be asked to refuse; the model's own tests run it.
#include <fastvideo/pipeline.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

#include "tools/check/subject.hpp"

namespace fastvideo::host::conformance {
namespace {

namespace fs = std::filesystem;

// A new empty folder, removed at the end.
class EmptyFolder {
 public:
  EmptyFolder() {
    std::error_code failure;
    std::string name = (fs::temp_directory_path(failure) / "fastvideo_check_XXXXXX").string();
    if (failure || mkdtemp(name.data()) == nullptr) throw Skipped("no temporary folder can be made");
    path_ = name;
  }
  ~EmptyFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  EmptyFolder(const EmptyFolder&) = delete;
  EmptyFolder& operator=(const EmptyFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

void require_refused(const Subject& subject, const fs::path& folder) {
  const auto* table = subject.loaded.interface<fv_pipeline_interface>();
  for (const bool wants_text : {true, false}) {
    TextBuffer error;
    fv_pipeline* pipeline = nullptr;
    const fv_status status = table->create(subject.host, folder.c_str(), &pipeline, wants_text ? error.get() : nullptr);
    if (status == FV_OK && pipeline != nullptr) table->destroy(pipeline);
    require(status != FV_OK, "create accepted a folder without a model");
    require(status == FV_REFUSED, "create gave " + describe(status, error) + "; what is impossible is FV_REFUSED");
    require(!wants_text || !error.str().empty(), "create refused the folder and gave no reason");
  }
}

}  // namespace

void check_pipeline(const Subject& subject) {
  subject.report.check("create: refuses a folder that does not exist",
                       [&] { require_refused(subject, EmptyFolder().path() / "nothing"); });
  subject.report.check("create: refuses an empty folder", [&] {
    const EmptyFolder folder;
    require_refused(subject, folder.path());
  });
  subject.report.check("create: refuses a folder with a model_index.json and no component", [&] {
    for (const std::string& model_class : subject.item.model_classes) {
      const EmptyFolder folder;
      std::ofstream(folder.path() / "model_index.json") << "{\"_class_name\": \"" << model_class << "\"}";
      require_refused(subject, folder.path());
    }
  });
  subject.report.check("create: refuses a model_index.json that is not JSON", [&] {
    const EmptyFolder folder;
    std::ofstream(folder.path() / "model_index.json") << "{\"_class_name\": ";
    require_refused(subject, folder.path());
  });
  subject.report.check("check and run", [&] { throw Skipped("need a model folder"); });
}

}  // namespace fastvideo::host::conformance
