// Runs the text encoder for umt5_parity.py: umt5_driver FOLDER DTYPE DEVICE IN OUT.
// In: ids [B, L], and mask [B, L] if it is padded. Out: hidden, and the number of attention calls.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>
#include <string>

#include "pipelines/common/testing/plain_attention.hpp"
#include "pipelines/common/testing/tensor_file.hpp"
#include "pipelines/common/text/umt5/umt5_config.hpp"
#include "pipelines/common/text/umt5/umt5_encoder.hpp"

int main(int, char** argv) try {
  using namespace fastvideo;
  const c10::InferenceMode no_gradients;
  const std::filesystem::path folder = argv[1];
  const Placement placement{std::string(argv[2]) == "bfloat16" ? at::kBFloat16 : at::kFloat, at::Device(argv[3])};
  Weights weights = Weights::open(folder);
  const UMT5Encoder encoder(read_umt5_config(folder / "config.json"), weights, placement);

  const testing::TensorMap in = testing::read_tensors(argv[4]);
  const at::Tensor& ids = in.at("ids");
  testing::PlainAttention attention;
  at::Tensor hidden;
  if (in.contains("mask")) {
    hidden = encoder.forward(ids, in.at("mask").to(at::kBool), attention);
  } else if (ids.size(0) == 1) {
    hidden = encoder.encode({ids.const_data_ptr<int64_t>(), static_cast<size_t>(ids.numel())}, attention);
  } else {
    hidden = encoder.forward(ids, {}, attention);
  }
  testing::write_tensors(
      argv[5],
      {{"hidden", hidden}, {"calls", at::tensor(static_cast<int64_t>(attention.calls().at("text.self").size()))}});
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
