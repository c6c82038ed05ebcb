#include "pipelines/common/residency/residency.hpp"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <string_view>

#include "pipelines/common/request/dtype.hpp"
#include "pipelines/common/residency/give_back.hpp"

namespace fastvideo {
namespace {

// auto: as little memory as possible for one video, as little loading as possible for many, without the text encoder,
// which is the largest component and not needed once it has read the prompts.
Offload parse_offload(const Options& parameters) {
  const std::string_view name = parameters.string("offload");
  if (name == "none") return Offload::nothing;
  if (name == "text" || (name == "auto" && parameters.has("later_prompts"))) return Offload::text_encoder;
  if (name == "all" || name == "auto") return Offload::everything;
  throw Refused("offload '" + std::string(name) + "' is not one of auto, none, text, all");
}

}  // namespace

Residency parse_residency(const Options& parameters) {
  const at::Device device{std::string(parameters.string("device"))};
  const at::ScalarType dtype = parse_dtype(parameters, "dtype", device);
  return {.device = device,
          .dtype = dtype,
          .vae_dtype = parameters.string("vae_dtype") == "auto" ? dtype : parse_dtype(parameters, "vae_dtype", device),
          .variant = std::string(parameters.string("variant")),
          .offload = parse_offload(parameters)};
}

std::vector<Bytes> stage_peaks(const Residency& residency, StageBytes text, StageBytes denoise, StageBytes decode,
                               bool more_follow) {
  // The weights that other stages, of this run or the one before, have left loaded.
  const uint64_t kept_encoder = residency.keeps_text_encoder() ? text.weights : 0;
  const uint64_t kept_transformer = residency.keeps_others() ? denoise.weights : 0;
  const uint64_t kept_vae = residency.keeps_others() && more_follow ? decode.weights : 0;
  const uint64_t before_encoding = kept_encoder != 0 && more_follow ? denoise.weights + decode.weights : 0;
  return {{"encode text", text.weights + before_encoding + text.activations},
          {"denoise", denoise.weights + kept_encoder + kept_vae + denoise.activations},
          {"decode", decode.weights + kept_encoder + kept_transformer + decode.activations}};
}

void give_back(const Residency& residency) {
  give_back_freed_memory();
  if (!residency.device.is_cpu() && !residency.keeps_others())
    c10::getDeviceAllocator(residency.device.type())->emptyCache();
}

void wait_for(at::Device device) {
  if (!device.is_cpu()) c10::impl::VirtualGuardImpl(device.type()).getStream(device).synchronize();
}

}  // namespace fastvideo
