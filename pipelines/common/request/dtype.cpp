#include "pipelines/common/request/dtype.hpp"

#include <string>

namespace fastvideo {

at::ScalarType parse_dtype(const Options& parameters, const char* name, at::Device device) {
  const std::string_view word = parameters.string(name);
  if (word == "auto") return device.is_cuda() ? at::kBFloat16 : at::kFloat;
  if (word == "float32") return at::kFloat;
  if (word == "bfloat16") return at::kBFloat16;
  throw Refused(std::string(name) + " '" + std::string(word) + "' is not one of auto, float32, bfloat16");
}

}  // namespace fastvideo
