// Sizes, types, noise and texts of requests: which values are accepted, and the nearest possible value in a refusal.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "pipelines/common/request/dtype.hpp"
#include "pipelines/common/request/noise.hpp"
#include "pipelines/common/request/video_request.hpp"
#include "pipelines/common/testing/parameters.hpp"

namespace fastvideo {
namespace {

using testing::Parameters;

template <class Call>
std::string refusal_of(const Call& call) {
  try {
    call();
  } catch (const Refused& e) {
    return e.what();
  }
  return "";
}

Parameters video(int64_t height, int64_t width, int64_t frames) {
  Parameters parameters;
  parameters.set("height", height).set("width", width).set("num_frames", frames);
  return parameters;
}

constexpr LatentGeometry kWan{4, 8, 1, 2, 2};
constexpr LatentGeometry kPatchesOverTime{4, 8, 2, 2, 2};

TEST(VideoSizes, BecomeLatentsAndTokens) {
  const LatentShape shape = latent_shape(parse_size(video(480, 832, 81).options(), kWan), kWan);
  EXPECT_EQ(shape.latent_frames, 21);
  EXPECT_EQ(shape.latent_height, 60);
  EXPECT_EQ(shape.latent_width, 104);
  EXPECT_EQ(shape.tokens(), 32760);
  // Two latent frames a token: frames 5, 13, 21, ...
  EXPECT_EQ(latent_shape(parse_size(video(16, 16, 13).options(), kPatchesOverTime), kPatchesOverTime).grid_t, 2);
}

TEST(VideoSizes, SayTheNearestThatIsPossible) {
  const auto refusal = [](const Parameters& parameters, const LatentGeometry& geometry) {
    return refusal_of([&] { parse_size(parameters.options(), geometry); });
  };
  EXPECT_NE(refusal(video(100, 96, 9), kWan).find("height 100 is not a multiple of 16"), std::string::npos);
  EXPECT_NE(refusal(video(100, 96, 9), kWan).find("96 or 112"), std::string::npos);
  EXPECT_NE(refusal(video(96, 8, 9), kWan).find("width 8 is not a multiple of 16"), std::string::npos);
  EXPECT_NE(refusal(video(96, 96, 10), kWan).find("num_frames 10 is not 1 plus a multiple of 4"), std::string::npos);
  EXPECT_NE(refusal(video(96, 96, 10), kWan).find("9 or 13"), std::string::npos);
  EXPECT_NE(refusal(video(96, 96, 9), kPatchesOverTime).find("5 or 13"), std::string::npos);
  EXPECT_EQ(refusal(video(96, 96, 9), kWan), "");
}

TEST(Dtypes, AreWordsOrFollowTheDevice) {
  const auto parse = [](const char* word, at::Device device) {
    Parameters parameters;
    parameters.set("dtype", word);
    return parse_dtype(parameters.options(), "dtype", device);
  };
  EXPECT_EQ(parse("auto", at::kCPU), at::kFloat);
  EXPECT_EQ(parse("auto", at::Device(at::kCUDA, 0)), at::kBFloat16);
  EXPECT_EQ(parse("bfloat16", at::kCPU), at::kBFloat16);
  EXPECT_NE(refusal_of([&] { parse("float16", at::kCPU); }).find("dtype 'float16' is not one of"), std::string::npos);
}

TEST(Noise, BelongsToItsSeed) {
  const LatentShape shape{3, 2, 4, 3, 1, 2};
  const at::Tensor noise = initial_noise(16, shape, 7);
  EXPECT_EQ(noise.sizes(), at::IntArrayRef({1, 16, 3, 2, 4}));
  EXPECT_TRUE(at::equal(noise, initial_noise(16, shape, 7)));
  EXPECT_FALSE(at::equal(noise, initial_noise(16, shape, 8)));
}

TEST(TextsOfRequests, AreThoseOfItsBranchesAndOfLaterRuns) {
  Parameters parameters = video(32, 32, 5);
  parameters.set("prompt", "a cat").set("negative_prompt", "grey").set("fps", 16).set("seed", 3);
  parameters.set("num_inference_steps", 2).set("guidance_scale", 5.0);
  const auto texts = [&] { return parse_texts(parameters.options(), parse_video_request(parameters.options(), kWan)); };
  EXPECT_EQ(texts().now, (std::vector<std::string>{"a cat", "grey"}));
  EXPECT_TRUE(texts().later.empty());
  parameters.set("guidance_scale", 1.0).set("later_prompts", {"a dog", "a cat"});
  EXPECT_EQ(texts().now, (std::vector<std::string>{"a cat"}));
  EXPECT_EQ(texts().to_encode(/*encoder_stays=*/true), (std::vector<std::string>{"a cat"}));
  EXPECT_EQ(texts().to_encode(/*encoder_stays=*/false), (std::vector<std::string>{"a cat", "a dog", "a cat"}));
  parameters.set("later_prompts", {"a dog", "&nbsp; "});
  EXPECT_NE(refusal_of(texts).find("the prompt is empty: it holds spaces"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo
