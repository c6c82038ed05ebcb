// What a caching strategy can measure of a forward pass (fastvideo/cache.h): tensors by name, for those who ask.
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
  /// Asked before a signal is made; what nobody wants is not computed.
  virtual bool wants(std::string_view signal) = 0;
  /// The tensor may be kept: nobody writes to it afterwards.
  virtual void observe(std::string_view signal, const at::Tensor& value) = 0;
};

/// Hands a signal on, where there is an observer that wants it; a difference is not computed otherwise.
void publish(SignalObserver* observer, std::string_view signal, const at::Tensor& value);
void publish_difference(SignalObserver* observer, std::string_view signal, const at::Tensor& a, const at::Tensor& b);

/// The names of one block's signals.
struct BlockSignals {
  explicit BlockSignals(int64_t block);
  std::string modulated;  ///< block.N.modulated: what its self-attention reads
  std::string out;        ///< block.N.out
  std::string residual;   ///< block.N.residual: output minus input
};

/// All signals of a transformer of so many blocks.
std::vector<std::string> signal_names(int64_t blocks);

}  // namespace fastvideo
