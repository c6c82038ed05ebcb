#include "pipelines/wan/decode.hpp"

#include <ATen/ATen.h>

#include <fastvideo/torch.hpp>
#include <memory>
#include <stdexcept>
#include <string>

#include "pipelines/common/diffusion/bad_step.hpp"
#include "pipelines/common/diffusion/latent_watch.hpp"
#include "pipelines/common/readback/readback.hpp"

namespace fastvideo::wan {
namespace {

// Thrown to leave the decoder, which then forgets the clip, before the search for the cause.
struct BadFrames {
  int64_t latent_frame;
  std::string defect;
};

constexpr int32_t kDecode = -2;  // the step that the decoder's calls of attention belong to

[[noreturn]] void blame_for_frames(const BadFrames& bad, const WatchedAttention& watched, const at::Tensor& latents,
                                   at::ScalarType dtype, Components& components, HostAttention& attention,
                                   const Progress& progress) {
  const std::string what = "the frames of latent frame " + std::to_string(bad.latent_frame + 1) + " of " +
                           std::to_string(latents.size(2)) + " hold " + bad.defect + ": ";
  std::string why = "no attention site is at fault; the weights of the VAE are";
  if (dtype != at::kFloat)
    why += std::string(", or its numbers of type ") + at::toString(dtype) + " (--vae-dtype float32)";
  CheckedAttention checked(attention);
  bool again = false;
  try {
    components.decoder(checked, progress)
        .decode_samples(
            latents.narrow(2, 0, bad.latent_frame + 1), [](const at::Tensor&) {},
            [&](int64_t, int64_t) { progress.throw_if_cancelled(); },
            [&](const at::Tensor& frames) {
              again = again || !defect_of_range(start_readback(range_of(frames))->values()).empty();
            });
    if (!again) why = reason_of_once(watched, kDecode, "the clip was decoded");
  } catch (const Cancelled&) {
    throw;
  } catch (const std::runtime_error& e) {
    why = e.what();
  }
  throw std::runtime_error(what + why);
}

}  // namespace

void decode(const at::Tensor& latents, at::ScalarType dtype, Components& components, HostAttention& attention,
            const PipelineSink& sink, const Progress& progress) {
  WatchedAttention watched(attention);
  watched.begin(kDecode);
  AutoencoderKLWanDecoder& decoder = components.decoder(watched, progress);
  progress.stage("decode", latents.size(2));
  std::unique_ptr<Readback> range;
  int64_t latent_frame = 0;
  const auto watch = [&](const at::Tensor& frames) { range = start_readback(range_of(frames)); };
  // The frames have arrived on the CPU, and so have copies made before them: nothing waits here.
  const auto give = [&](const at::Tensor& frames) {
    if (const std::string defect = defect_of_range(range->values()); !defect.empty())
      throw BadFrames{latent_frame, defect};
    sink.frames(*LentTensor(frames).get());
    ++latent_frame;
  };
  try {
    decoder.decode(
        latents, give, [&](int64_t done, int64_t) { progress.step(done); }, watch);
  } catch (const BadFrames& bad) {
    blame_for_frames(bad, watched, latents, dtype, components, attention, progress);
  }
}

}  // namespace fastvideo::wan
