#include "host/run/video_sink.hpp"

#include <stdexcept>
#include <string>

#include "host/plugins/limits.hpp"
#include "host/selection/border.hpp"

namespace fastvideo::host {
namespace {

std::string shape_of(const fv_tensor& tensor) {
  const std::span shape(tensor.shape, static_cast<size_t>(tensor.ndim));
  return "[" + joined(shape, ", ", [](int64_t side) { return std::to_string(side); }) + "]";
}

// what: how the message calls it.
void require_whole_tensor(const fv_pipeline_output& output, const char* what) {
  if (output.tensor == nullptr)
    throw std::runtime_error(std::string("the pipeline gave ") + what + " without a tensor");
  const fv_tensor& t = *output.tensor;
  if (t.ndim < 0 || t.ndim > 8 || (t.ndim > 0 && (t.shape == nullptr || t.strides == nullptr)) || t.data == nullptr)
    throw std::runtime_error("the pipeline gave a tensor of " + std::to_string(t.ndim) +
                             " dimensions whose data, shape or strides are NULL as " + what);
}

bool are_rgb(const fv_tensor& t) {
  return t.device.type == FV_DEVICE_CPU && t.dtype.code == FV_UINT && t.dtype.bits == 8 && t.dtype.lanes == 1 &&
         t.ndim == 4 && t.shape[0] >= 1 && t.shape[3] == 3;
}

std::string text_of(const fv_tensor& t) {
  return dtype_name(t.dtype) + " " + shape_of(t) + " on " + device_name(t.device);
}

bool is_contiguous(const fv_tensor& tensor) {
  int64_t expected = 1;
  for (int i = tensor.ndim - 1; i >= 0; --i) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
    expected *= tensor.shape[i];
  }
  return true;
}

}  // namespace

VideoSink::VideoSink(FrameSink& frames) : frames_(frames) {
  abi_.struct_size = sizeof abi_;
  abi_.context = this;
  abi_.preview_every = frames.preview_every();
  abi_.accept = [](void* context, const fv_pipeline_output* output, fv_text* error) {
    auto& self = *static_cast<VideoSink*>(context);
    return serve(error, [&] {
      try {
        if (output == nullptr) throw std::runtime_error("the pipeline gave NULL as an output");
        if (output->struct_size < sizeof *output)
          throw std::runtime_error("the pipeline gave an output of " + std::to_string(output->struct_size) +
                                   " bytes, this ABI needs " + std::to_string(sizeof *output));
        self.accept(*output);
      } catch (...) {
        self.failure_ = std::current_exception();
        throw;
      }
    });
  };
}

void VideoSink::accept(const fv_pipeline_output& output) {
  if (output.kind == FV_OUTPUT_VIDEO) begin(output);
  if (output.kind == FV_OUTPUT_FRAMES) write(output);
  if (output.kind == FV_OUTPUT_PREVIEW && abi_.preview_every > 0) preview(output);
  // Other kinds (latents, and those of later pipelines) are nothing for a video.
}

void VideoSink::begin(const fv_pipeline_output& output) {
  if (format_) throw std::runtime_error("the pipeline announced a second video");
  if (output.width < 1 || output.height < 1 || output.frame_count < 1 || output.fps_numerator < 1 ||
      output.fps_denominator < 1)
    throw std::runtime_error("the pipeline announced a video of " + std::to_string(output.frame_count) + " frames of " +
                             std::to_string(output.width) + "x" + std::to_string(output.height) + " at " +
                             std::to_string(output.fps_numerator) + "/" + std::to_string(output.fps_denominator) +
                             " frames per second");
  const VideoFormat format{output.width, output.height, output.frame_count, output.fps_numerator,
                           output.fps_denominator};
  frames_.begin(format);
  format_ = format;
}

void VideoSink::write(const fv_pipeline_output& output) {
  if (!format_) throw std::runtime_error("the pipeline gave frames before it announced a video");
  require_whole_tensor(output, "frames");
  const fv_tensor& t = *output.tensor;
  if (!are_rgb(t) || t.shape[1] != format_->height || t.shape[2] != format_->width)
    throw std::runtime_error("the pipeline gave " + text_of(t) + " as frames, which are uint8 [frames, " +
                             std::to_string(format_->height) + ", " + std::to_string(format_->width) +
                             ", 3] on the CPU");
  if (t.shape[0] > format_->frame_count - written_)
    throw std::runtime_error("the pipeline gave more frames than the " + std::to_string(format_->frame_count) +
                             " that it announced");
  frames_.write(packed(t));
  written_ += t.shape[0];
}

void VideoSink::preview(const fv_pipeline_output& output) {
  constexpr int64_t kMostPixels = int64_t{1} << 26;
  if (format_) throw std::runtime_error("the pipeline gave a preview after it announced the video");
  require_whole_tensor(output, "a preview");
  const fv_tensor& t = *output.tensor;
  const auto is_small = [&](int axis) { return t.shape[axis] >= 1 && t.shape[axis] <= 1 << 14; };
  if (!are_rgb(t) || !is_small(0) || !is_small(1) || !is_small(2) || t.shape[0] * t.shape[1] > kMostPixels / t.shape[2])
    throw std::runtime_error("the pipeline gave " + text_of(t) +
                             " as a preview, which is uint8 [frames, height, width, 3] on the CPU, of 64 million "
                             "pixels at most");
  frames_.preview({static_cast<int>(t.shape[2]), static_cast<int>(t.shape[1]), t.shape[0]}, packed(t));
}

// Their bytes in order, until the next call.
std::span<const uint8_t> VideoSink::packed(const fv_tensor& t) {
  const auto bytes = static_cast<size_t>(t.shape[0] * t.shape[1] * t.shape[2] * 3);
  const auto* first = static_cast<const uint8_t*>(t.data) + t.byte_offset;
  if (is_contiguous(t)) return {first, bytes};
  packed_.clear();
  packed_.reserve(bytes);
  for (int64_t f = 0; f < t.shape[0]; ++f)
    for (int64_t y = 0; y < t.shape[1]; ++y)
      for (int64_t x = 0; x < t.shape[2]; ++x)
        for (int64_t c = 0; c < 3; ++c)
          packed_.push_back(first[f * t.strides[0] + y * t.strides[1] + x * t.strides[2] + c * t.strides[3]]);
  return packed_;
}

void VideoSink::finish() {
  if (!format_) throw std::runtime_error("the pipeline ended without a video");
  if (written_ != format_->frame_count)
    throw std::runtime_error("the pipeline ended after " + std::to_string(written_) + " of the " +
                             std::to_string(format_->frame_count) + " frames that it announced");
  frames_.finish();
}

}  // namespace fastvideo::host
