// Runs the transformer for transformer_parity.py: transformer_driver FOLDER DEVICE IN OUT.
// In: latents, timestep, text; optionally order, and hidden.N, the input of block N. Out, in float32: all signals, out,
// alone.N for each hidden.N, and the layers that called attention; bfloat16.out.
#include <ATen/ATen.h>
#include <c10/core/InferenceMode.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>

#include "pipelines/common/testing/plain_attention.hpp"
#include "pipelines/common/testing/tensor_file.hpp"
#include "pipelines/wan/folder/transformer_config.hpp"
#include "pipelines/wan/transformer/pass.hpp"

namespace {

using namespace fastvideo;

// Keeps copies of all signals, or of the named signals.
class Recorder final : public SignalObserver {
 public:
  explicit Recorder(std::string only = {}) : only_(std::move(only)) {}
  bool wants(std::string_view signal) override { return only_.empty() || signal == only_; }
  void observe(std::string_view signal, const at::Tensor& value) override {
    if (!signals.emplace(signal, value.clone()).second) throw std::logic_error("a signal came twice");
    kept_.emplace(signal, value);
  }
  // Whether a signal was written to after it was observed.
  bool overwritten() const {
    for (const auto& [name, value] : kept_)
      if (!at::equal(value, signals.at(name))) return true;
    return false;
  }
  testing::TensorMap signals;

 private:
  std::string only_;
  testing::TensorMap kept_;
};

void require(bool holds, const char* what) {
  if (!holds) throw std::logic_error(what);
}

at::Tensor forward(const wan::WanTransformer& transformer, const wan::TransformerInputs& inputs, Attention& attention,
                   SignalObserver* observer) {
  wan::WanPass pass(transformer, inputs);
  return run_whole(pass, attention, observer);
}

// A pass in pieces equals the whole pass, and an observer gets only the signals that it asks for.
void check_pieces(const wan::WanTransformer& transformer, const wan::TransformerInputs& inputs, const at::Tensor& out) {
  testing::PlainAttention attention;
  const int64_t cut = transformer.blocks() / 2;
  wan::TransformerPass pass = transformer.embed(inputs);
  transformer.run_blocks(pass, 0, cut, attention);
  const at::Tensor at_cut = pass.hidden;
  const at::Tensor copy = at_cut.clone();
  transformer.run_blocks(pass, cut, transformer.blocks(), attention);
  require(at::equal(at_cut, copy), "a block wrote into its input");
  require(at::equal(transformer.head(pass), out), "a pass in pieces differs from the whole");

  Recorder one("block.0.modulated");
  require(at::equal(forward(transformer, inputs, attention, &one), out), "an observed pass differs");
  pass = transformer.embed(inputs);
  require(
      one.signals.size() == 1 && at::equal(one.signals.at("block.0.modulated"), transformer.modulated_input(pass, 0)),
      "block.0.modulated differs from modulated_input");
}

// Runs all checks in one dtype, on the inputs `in`.
testing::TensorMap run(const std::filesystem::path& folder, Placement placement, const testing::TensorMap& in) {
  Weights weights = Weights::open(folder);
  const wan::WanTransformer transformer(wan::read_wan_transformer_config(folder / "config.json"), weights, placement);
  const at::Tensor& latents = in.at("latents");
  const wan::TextContext text = transformer.prepare_text(in.at("text"));
  const wan::TokenLayout tokens = transformer.prepare_tokens({latents.size(2), latents.size(3), latents.size(4)},
                                                             in.contains("order") ? in.at("order") : at::Tensor());
  const wan::TransformerInputs inputs{latents, in.at("timestep"), text, tokens};

  testing::PlainAttention attention;
  Recorder recorder;
  const at::Tensor result = forward(transformer, inputs, attention, &recorder);
  require(!recorder.overwritten(), "a signal was written to after it was observed");
  require(recorder.signals.size() == signal_names(transformer.blocks()).size(), "a signal is missing");
  check_pieces(transformer, inputs, result);

  testing::TensorMap out = recorder.signals;
  out["out"] = result;
  for (const auto& [role, layers] : attention.calls())
    out["calls." + role] = at::tensor(std::vector<int64_t>(layers.begin(), layers.end()));
  for (int64_t i = 0; i < transformer.blocks(); ++i) {
    const auto hidden = in.find("hidden." + std::to_string(i));
    if (hidden == in.end()) continue;
    wan::TransformerPass pass = transformer.embed(inputs);
    pass.hidden = hidden->second.to(placement.device, placement.dtype);
    transformer.run_blocks(pass, i, i + 1, attention);
    out["alone." + std::to_string(i)] = pass.hidden;
  }
  return out;
}

}  // namespace

int main(int, char** argv) try {
  const c10::InferenceMode no_gradients;
  const at::Device device(argv[2]);
  const testing::TensorMap in = testing::read_tensors(argv[3]);
  testing::TensorMap out = run(argv[1], {at::kFloat, device}, in);
  out["bfloat16.out"] = run(argv[1], {at::kBFloat16, device}, in).at("out");
  testing::write_tensors(argv[4], out);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}
