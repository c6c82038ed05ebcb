// How a loaded model is held: where, in which type, and how long. A property of the model, which requests may change.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <fastvideo/core.hpp>
#include <string>
#include <vector>

namespace fastvideo {

/// What is released as soon as its stage is over, to make room for the next; the rest stays for the next run.
enum class Offload { everything, text_encoder, nothing };

/// Facts of load time.
struct Residency {
  at::Device device;
  at::ScalarType dtype;  ///< of text encoders and transformer
  at::ScalarType vae_dtype;
  std::string variant;  ///< of the weights: "fp16", or empty
  Offload offload;

  bool keeps_text_encoder() const { return offload == Offload::nothing; }
  bool keeps_others() const { return offload != Offload::everything; }
  /// Whether components that were loaded for the other serve this one.
  bool loads_as(const Residency& other) const {
    return device == other.device && dtype == other.dtype && vae_dtype == other.vae_dtype && variant == other.variant;
  }
};

/// Reads the parameters device, dtype, vae_dtype ("auto": that of dtype), variant and offload. auto offloads all for
/// one video, and the text encoder alone where more prompts follow. Throws Refused for a word that is none of theirs.
Residency parse_residency(const Options& parameters);

/// A component or a stage with its bytes.
struct Bytes {
  const char* name;
  uint64_t bytes;
};

/// What one stage takes.
struct StageBytes {
  uint64_t weights;      ///< of its component
  uint64_t activations;  ///< at its peak, beside them
};

/// Peaks of the stages "encode text", "denoise" and "decode", with what the residency then keeps of the others. Where
/// more runs follow, they are the peaks of all of them.
std::vector<Bytes> stage_peaks(const Residency& residency, StageBytes text, StageBytes denoise, StageBytes decode,
                               bool more_follow);

/// What has been freed goes back to the system and, unless the residency keeps models for the next run, to the others
/// on the device: LibTorch keeps freed blocks of a stage that fit the next one badly. Takes milliseconds; the device
/// has done what was enqueued.
void give_back(const Residency& residency);

/// Returns when the device has done what was enqueued: until then it belongs to the stage that has just ended.
void wait_for(at::Device device);

}  // namespace fastvideo
