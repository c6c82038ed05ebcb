// The signals of a forward pass that a caching strategy can measure (fastvideo/cache.h): tensors by name.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo {

/// Gets the signals of a forward pass. Signals over tokens are in the pass's token order.
class SignalObserver {
 public:
  virtual ~SignalObserver() = default;
  /// Asked before a signal is computed; a signal that is not wanted is not computed.
  virtual bool wants(std::string_view signal) = 0;
  /// Receives a signal. The tensor may be kept: it is not written to afterwards.
  virtual void observe(std::string_view signal, const at::Tensor& value) = 0;
};

/// Hands a signal to the observer, if there is one that wants it; a difference is computed only then.
void publish(SignalObserver* observer, std::string_view signal, const at::Tensor& value);
void publish_difference(SignalObserver* observer, std::string_view signal, const at::Tensor& a, const at::Tensor& b);

/// The names of one block's signals.
struct BlockSignals {
  explicit BlockSignals(int64_t block);
  std::string modulated;  ///< block.N.modulated: the input of the block's self-attention
  std::string out;        ///< block.N.out
  std::string residual;   ///< block.N.residual: output minus input
};

/// All signals of a transformer with this many blocks.
std::vector<std::string> signal_names(int64_t blocks);

}  // namespace fastvideo
