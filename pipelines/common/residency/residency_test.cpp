// Which components stay loaded: by the values of the parameters, in the peaks of the stages, and in a component.
#include "pipelines/common/residency/residency.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <map>

#include "pipelines/common/residency/component.hpp"
#include "pipelines/common/testing/parameters.hpp"
#include "pipelines/common/testing/tensor_file.hpp"
#include "tests/support/temporary_folder.hpp"

namespace fastvideo {
namespace {

testing::Parameters asking(const char* offload) {
  testing::Parameters parameters;
  parameters.set("device", "cpu").set("dtype", "auto").set("vae_dtype", "auto").set("variant", "");
  parameters.set("offload", offload);
  return parameters;
}

TEST(Residency, IsReadFromTheParameters) {
  testing::Parameters parameters = asking("auto");
  const Residency one = parse_residency(parameters.options());
  EXPECT_EQ(one.offload, Offload::everything);
  EXPECT_EQ(one.vae_dtype, at::kFloat);
  parameters.set("later_prompts", {"a dog"}).set("dtype", "bfloat16");
  const Residency many = parse_residency(parameters.options());
  EXPECT_EQ(many.offload, Offload::text_encoder);
  EXPECT_EQ(many.vae_dtype, at::kBFloat16);
  EXPECT_FALSE(many.loads_as(one));
  EXPECT_EQ(parse_residency(asking("none").options()).offload, Offload::nothing);
  EXPECT_TRUE(parse_residency(asking("none").options()).loads_as(one));
  EXPECT_EQ(parse_residency(asking("text").options()).offload, Offload::text_encoder);
  EXPECT_EQ(parse_residency(asking("all").options()).offload, Offload::everything);
  EXPECT_THROW(parse_residency(asking("some").options()), Refused);
}

TEST(Residency, CountsWhatOtherStagesLeave) {
  const auto peaks = [](const char* offload, bool more_follow) {
    std::map<std::string, uint64_t> bytes;
    for (const Bytes& stage :
         stage_peaks(parse_residency(asking(offload).options()), {1000, 1}, {200, 2}, {30, 3}, more_follow))
      bytes[stage.name] = stage.bytes;
    return bytes;
  };
  using Peaks = std::map<std::string, uint64_t>;
  EXPECT_EQ(peaks("all", true), (Peaks{{"encode text", 1001}, {"denoise", 202}, {"decode", 33}}));
  EXPECT_EQ(peaks("text", false), (Peaks{{"encode text", 1001}, {"denoise", 202}, {"decode", 233}}));
  EXPECT_EQ(peaks("text", true), (Peaks{{"encode text", 1001}, {"denoise", 232}, {"decode", 233}}));
  EXPECT_EQ(peaks("none", true), (Peaks{{"encode text", 1231}, {"denoise", 1232}, {"decode", 1233}}));
}

// A model of one weight, which counts how often it is made.
struct OneWeight {
  static inline int made = 0;
  explicit OneWeight(Weights& weights) : weight(weights.take("w", {3}, at::kFloat, at::kCPU)) { ++made; }
  OneWeight(const OneWeight&) = delete;
  OneWeight& operator=(const OneWeight&) = delete;
  at::Tensor weight;
};

TEST(Residency, AComponentIsLoadedOnceUntilItIsReleased) {
  const test::TemporaryFolder folder;
  testing::write_tensors(folder / "model.safetensors", {{"w", at::ones({3})}});
  const ComponentWeights weights = find_component_weights(folder.path(), "model");

  fv_services none{};
  none.get = [](const fv_services*, const char*) -> const void* { return nullptr; };
  const Progress progress{Host(&none)};
  Component<OneWeight> component("load one");
  const auto get = [&]() -> OneWeight& {
    return component.get(weights, progress, [](Weights& from) { return OneWeight(from); });
  };
  EXPECT_EQ(get().weight.sum().item<double>(), 3);
  component.release(/*keep=*/true);
  get();
  EXPECT_EQ(OneWeight::made, 1);
  component.release(/*keep=*/false);
  EXPECT_FALSE(component.is_loaded());
  get();
  EXPECT_EQ(OneWeight::made, 2);
  // Weights that were replaced under a loaded model are no longer its own.
  testing::write_tensors(folder / "model.safetensors", {{"w", at::ones({7})}});
  EXPECT_THROW(component.release(/*keep=*/true), std::runtime_error);
}

}  // namespace
}  // namespace fastvideo
