// How a loaded model is held: on which device, in which dtype, and how long. A property of the model, which requests
// may change.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/core.hpp>
#include <string>
#include <vector>

namespace fastvideo {

/// The components that are released as soon as their stage is over, to make room for the next; the others stay for the
/// next run.
enum class Offload { everything, text_encoder, nothing };

/// Properties that are fixed when components are loaded, except offload.
struct Residency {
  at::Device device;
  at::ScalarType dtype;  ///< dtype of text encoders and transformer
  at::ScalarType vae_dtype;
  std::string variant;  ///< variant of the weight files: "fp16", or empty
  Offload offload;

  bool keeps_text_encoder() const { return offload == Offload::nothing; }
  bool keeps_others() const { return offload != Offload::everything; }
  /// Whether components that were loaded for `other` can serve this residency.
  bool loads_as(const Residency& other) const {
    return device == other.device && dtype == other.dtype && vae_dtype == other.vae_dtype && variant == other.variant;
  }
};

/// Reads the parameters device, dtype, vae_dtype ("auto": that of dtype), variant and offload. auto offloads all for
/// one video, and the text encoder alone where more prompts follow. Throws Refused for an unknown word.
Residency parse_residency(const Options& parameters);

/// The bytes of a component or a stage.
struct Bytes {
  const char* name;
  uint64_t bytes;
};

/// The memory of one stage, in bytes.
struct StageBytes {
  uint64_t weights;      ///< of the stage's component
  uint64_t activations;  ///< at the stage's peak, beside the weights
};

/// Peaks of the stages "encode text", "denoise" and "decode", including the components of other stages that the
/// residency then keeps loaded. If more runs follow, the peaks over all runs.
std::vector<Bytes> stage_peaks(const Residency& residency, StageBytes text, StageBytes denoise, StageBytes decode,
                               bool more_follow);

/// Returns freed memory to the system and, unless the residency keeps models for the next run, to other users of the
/// device: LibTorch keeps freed blocks of a stage that fit the next one badly. Takes milliseconds; the device must have
/// done its enqueued work.
void give_back(const Residency& residency);

/// Waits for the device's enqueued work, so that its time counts for the stage that has just ended.
void wait_for(at::Device device);

}  // namespace fastvideo
