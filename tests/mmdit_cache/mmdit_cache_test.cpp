// TeaCache and first-block cache on a model with two streams, as plugins behind the host's cache service: what they
// leave out, what comes of it, and how often the loop waits, beside the algorithms written down plainly.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <c10/core/InferenceMode.h>
#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/selection/cache_policy.hpp"
#include "host/selection/testing/test_plugins.hpp"
#include "host/services/cache_session.hpp"
#include "pipelines/common/cache/step_cache.hpp"
#include "pipelines/common/readback/counted_readback.hpp"
#include "tests/mmdit_cache/plain_caching.hpp"

namespace fastvideo::host {
namespace {

using testing::denoise;
using testing::Loop;
using testing::Mmdit;
using testing::PassInputs;
using testing::Plain;
using testing::SlowDevice;

constexpr std::array<double, 5> kPolynomial = {0.3, -0.4, 0.2, 0.9, 0.002};

// A strategy as the program opens it.
class Strategy {
 public:
  explicit Strategy(std::vector<Given> given)
      : plugins_(with_rows(std::move(given)), FASTVIDEO_PLUGINS),
        handle_(plugins_.loader, plugins_.settings, test::no_services(),
                *chosen_cache_strategy(cache_request(plugins_.settings, plugins_.catalog), plugins_.catalog, {})),
        service_(handle_) {
    services_.abi = *test::no_services();
    services_.service = service_.service();
    services_.abi.get = [](const fv_services* all, const char*) -> const void* {
      return reinterpret_cast<const Services*>(all)->service;
    };
  }
  Host host() const { return Host(&services_.abi); }
  const CacheService& service() const { return service_; }

 private:
  struct Services {
    fv_services abi;
    const fv_cache_service* service;
  };
  // The model has a row of coefficients because a file says so.
  std::vector<Given> with_rows(std::vector<Given> given) {
    if (given.front().path != "cache.strategy" || given.back().path != "cache.teacache.threshold") return given;
    given.push_back(test::flag("cache.teacache.coefficients_file",
                               folder_
                                   .write("rows.toml",
                                          "[[model]]\nmodel = \"tiny-mmdit\"\nuse_ret_steps = false\n"
                                          "signal = \"block.0.modulated\"\n"
                                          "coefficients = [0.3, -0.4, 0.2, 0.9, 0.002]\n")
                                   .string()));
    return given;
  }

  test::TemporaryFolder folder_;
  test::TestPlugins plugins_;
  CacheStrategyHandle handle_;
  CacheService service_;
  Services services_{};
};

CacheOffer offer_of(const Loop& loop) {
  CacheOffer offer;
  offer.cuts = FV_CUT_BLOCKS;
  offer.model = "tiny-mmdit";
  offer.branches = loop.guided ? 2 : 1;
  offer.branches_at_once = loop.at_once ? offer.branches : 1;
  offer.blocks = Mmdit::kBlocks;
  offer.signals = {"block.0.modulated", "block.0.residual"};
  offer.early = {0, 0};
  for (int32_t step = 0; step <= loop.steps; ++step) offer.sigmas.push_back(loop.sigma(step));
  for (int32_t step = 0; step < loop.steps; ++step) offer.timesteps.push_back(1000 * loop.sigma(step));
  offer.expert_of_step.assign(offer.timesteps.size(), 0);
  return offer;
}

// A pass as a pipeline of this model makes it: both streams cross the cut.
at::Tensor cached_pass(StepCache& cache, const Mmdit& model, const PassInputs& in, std::vector<bool>& left_out) {
  const int64_t first = cache.cut().first, last = cache.cut().last;
  cache.begin(in.step, in.rows);
  Mmdit::Pass pass = model.embed(in.latents, in.text, in.sigma);
  if (cache.wants("block.0.modulated")) cache.measure("block.0.modulated", model.modulated(pass, 0));
  const at::Tensor before = pass.image;
  model.run(pass, 0, first);
  if (first > 0 && cache.wants("block.0.residual")) cache.measure("block.0.residual", pass.image - before);
  const Streams input = {pass.image, pass.text};
  const bool computes = cache.decide();
  left_out.push_back(!computes);
  if (computes) {
    model.run(pass, first, last);
    cache.keep(input, Streams{pass.image, pass.text});
  } else {
    const Streams instead = cache.combine(input);
    pass.image = instead[0];
    pass.text = instead[1];
  }
  model.run(pass, last, Mmdit::kBlocks);
  cache.end();
  return model.head(pass);
}

double relative(const at::Tensor& x, const at::Tensor& y) { return ((x - y).norm() / y.norm()).item<double>(); }

std::string describe(const Loop& loop) {
  return std::to_string(loop.steps) + " steps, " + std::to_string(loop.videos) + " videos, " +
         (!loop.guided   ? "no guidance"
          : loop.at_once ? "guidance in one batch"
                         : "guidance in two passes");
}

const Loop kLoops[] = {{12, 1, true, true},  {12, 2, true, true},   {9, 3, true, true},  {12, 1, true, false},
                       {15, 2, true, false}, {12, 1, false, false}, {20, 2, false, true}};

// The strategy's plugin beside its plain statement, on each loop.
void compare(const std::vector<Given>& given, const std::function<Plain(const Mmdit&, const Loop&, uint64_t)>& plainly,
             bool observes) {
  const c10::InferenceMode inference;
  at::set_num_threads(1);  // the model is tiny
  const Mmdit model(3);
  for (const Loop& loop : kLoops) {
    SCOPED_TRACE(describe(loop));
    const Plain expected = plainly(model, loop, 5);
    const Plain exact = testing::run_exact(model, loop, 5);
    const auto skips = std::count(expected.left_out.begin(), expected.left_out.end(), true);
    ASSERT_GT(skips, 0);
    ASSERT_LT(skips, std::ssize(expected.left_out) - 2);
    ASSERT_GT(relative(expected.latents, exact.latents), 1e-3) << "the caching does not show";

    const Strategy strategy(given);
    SlowDevice device;
    const auto cache = StepCache::open(strategy.host(), offer_of(loop), device.start());
    ASSERT_NE(cache, nullptr);
    std::vector<bool> left_out;
    const at::Tensor latents =
        denoise(loop, 5, [&](const PassInputs& in) { return cached_pass(*cache, model, in, left_out); });
    EXPECT_EQ(left_out, expected.left_out);
    // Both sides run the same float32 operators; only sums are taken in another order.
    EXPECT_LT(relative(latents, expected.latents), 1e-5);
    EXPECT_EQ(cache->reused(), skips);

    // One event a decision, however much is measured; the first pass of a loop may have nothing to read.
    EXPECT_LE(device.waited, std::ssize(left_out));
    EXPECT_GE(device.waited, std::ssize(left_out) - (loop.guided && !loop.at_once ? 2 : 1));
    EXPECT_EQ(device.started, device.waited);
    const int64_t in_loop = device.waited;
    cache->finish();
    EXPECT_LE(device.waited, in_loop + (observes ? 1 : 0));
  }
}

TEST(MmditCache, TeaCache) {
  for (const char* threshold : {"0.3", "0.6"})
    compare(
        {test::flag("cache.strategy", "teacache"), test::flag("cache.teacache.threshold", threshold)},
        [&](const Mmdit& model, const Loop& loop, uint64_t seed) {
          return run_teacache(model, loop, seed, kPolynomial, std::stod(threshold));
        },
        true);
}

TEST(MmditCache, FirstBlock) {
  for (const char* threshold : {"0.8", "0.9"})
    compare(
        {test::flag("cache.strategy", "first_block"), test::flag("cache.first_block.threshold", threshold)},
        [&](const Mmdit& model, const Loop& loop, uint64_t seed) {
          return run_first_block(model, loop, seed, std::stod(threshold));
        },
        true);
}

TEST(MmditCache, TheRecordNamesTheStepsOfEachBranch) {
  const c10::InferenceMode inference;
  at::set_num_threads(1);  // the model is tiny
  const Mmdit model(3);
  const Loop loop{12, 2, true, true};
  const Strategy strategy(
      {test::flag("cache.strategy", "first_block"), test::flag("cache.first_block.threshold", "0.8")});
  const auto cache = StepCache::open(strategy.host(), offer_of(loop));
  std::vector<bool> left_out;
  denoise(loop, 5, [&](const PassInputs& in) { return cached_pass(*cache, model, in, left_out); });
  std::vector<int32_t> steps;
  for (int32_t step = 0; step < loop.steps; ++step)
    if (left_out[static_cast<size_t>(step)]) steps.push_back(step);
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(strategy.service().left_out(), (std::vector<std::vector<int32_t>>{steps, steps}));
  // Passes are counted a branch, as where each branch has a pass of its own.
  EXPECT_EQ(strategy.service().decided(), 24u);
  EXPECT_EQ(strategy.service().reused(), 2 * steps.size());
}

}  // namespace
}  // namespace fastvideo::host
