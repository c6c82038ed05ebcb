// Running a request: callbacks in, a result out; cancelling it, and which call it is in.
#include "host/run/run.hpp"

#include <new>
#include <optional>

#include "host/calls/call_note.hpp"
#include "host/error/error.hpp"
#include "host/plugins/loader.hpp"
#include "host/run/peak_memory.hpp"
#include "host/runtime/handles.hpp"
#include "host/runtime/result.hpp"
#include "host/runtime/sized.hpp"

namespace fastvideo::host {
namespace {

class FramesOfEmbedder final : public FrameSink {
 public:
  explicit FramesOfEmbedder(const fvr_frames& to) : to_(to) {
    if (to.preview_every < 0)
      throw InvalidCall("fvr_frames: preview_every is " + std::to_string(to.preview_every) + ": 0 or steps");
  }

  void begin(const VideoFormat& format) override {
    bytes_of_frame_ = static_cast<size_t>(format.width) * static_cast<size_t>(format.height) * 3;
    const fvr_video video{
        sizeof video, format.width, format.height, format.fps_numerator, format.fps_denominator, 0, format.frame_count};
    if (to_.begin != nullptr) require_zero(to_.begin(to_.context, &video), "begin");
  }
  void write(std::span<const uint8_t> frames) override {
    const auto count = static_cast<int64_t>(frames.size() / bytes_of_frame_);
    if (to_.frames != nullptr && count > 0) require_zero(to_.frames(to_.context, frames.data(), count), "frames");
  }
  void finish() override {}
  int preview_every() const override { return to_.preview != nullptr ? to_.preview_every : 0; }
  void preview(const PreviewFormat& format, std::span<const uint8_t> frames) override {
    const fvr_picture picture{sizeof picture, format.width, format.height, 0, format.frame_count};
    require_zero(to_.preview(to_.context, &picture, frames.data()), "preview");
  }

 private:
  static void require_zero(int32_t answer, const char* function) {
    if (answer != 0)
      throw std::runtime_error("the function that takes the frames ended the run: " + std::string(function) + " gave " +
                               std::to_string(answer));
  }

  const fvr_frames to_;
  size_t bytes_of_frame_ = 1;
};

class ObserverOfEmbedder final : public RunObserver {
 public:
  explicit ObserverOfEmbedder(const fvr_observer& to) : to_(to) {}

  void stage(std::string_view name, int64_t steps) override {
    if (to_.stage != nullptr) to_.stage(to_.context, std::string(name).c_str(), steps);
  }
  void step(int64_t done) override {
    if (to_.step != nullptr) to_.step(to_.context, done);
  }
  void loaded(uint64_t done, uint64_t all) override {
    if (to_.loaded != nullptr) to_.loaded(to_.context, done, all);
  }
  void end(bool) override {}  // fvr_run returns

 private:
  const fvr_observer to_;
};

void select_prompt(CheckedRequest& request, uint32_t prompt) {
  const size_t count = request.request().count();
  if (count == 0)
    throw RequestError("no prompt is given: say in request.prompt what the video shows, or check the request with one",
                       "request.prompt");
  if (prompt >= count)
    throw InvalidCall("there is no prompt " + std::to_string(prompt) + ": there are " + std::to_string(count));
  request.select_prompt(prompt);
}

void require_memory(CheckedRequest& request) {
  const LoaderTurn loading;  // the pipeline may be asked what would fit
  if (const std::string shortage = request.memory_shortage(); !shortage.empty())
    throw RequestError(shortage, "run.memory_check");
}

std::unique_ptr<fvr_result> run_request(Request& request, const fvr_run_options& options) {
  const ModelTurn turn(*request.model);
  const CancelToken never;
  const CancelToken& cancel = options.cancel != nullptr ? options.cancel->token : never;
  cancel.throw_if_requested();
  CheckedRequest& checked = *request.checked;
  select_prompt(checked, options.prompt);
  require_memory(checked);
  std::optional<PeakMemory> on_device;
  if (checked.model().device().is_cuda()) on_device.emplace(checked.model().device());
  FramesOfEmbedder frames(read_sized(options.frames, "fvr_frames"));
  ObserverOfEmbedder observer(read_sized(options.observer, "fvr_observer"));
  RunResult made = run(checked, &observer, frames, cancel);
  return std::make_unique<fvr_result>(std::move(made), checked.request().seed(), on_device ? &*on_device : nullptr);
}

}  // namespace
}  // namespace fastvideo::host

using namespace fastvideo::host;  // NOLINT(google-build-using-namespace)

fvr_cancel* fvr_cancel_new(void) { return new (std::nothrow) fvr_cancel; }

void fvr_cancel_request(fvr_cancel* cancel) {
  if (cancel != nullptr) cancel->token.request();
}

void fvr_cancel_free(fvr_cancel* cancel) { delete cancel; }

size_t fvr_describe_call(char* text, size_t size) { return describe_call_in_progress(text, size); }

fvr_status fvr_run(fvr_request* request, const fvr_run_options* options, fvr_result** result, fvr_error* error) {
  return guarded(error, [&] {
    required(result, "result") = nullptr;
    const std::shared_ptr<Request> ours = required(request, "request").request;
    *result = run_request(*ours, read_sized(options, "fvr_run_options")).release();
  });
}
