// The policy beside the published procedure as its authors run it: one counter over all forward passes, even for the
// conditional branch and odd for the unconditional branch.
#include "plugins/cache/teacache/policy.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <string>

namespace fastvideo::teacache {
namespace {

constexpr std::array<double, 5> kPolynomial = {2.39676752e3, -1.31110545e3, 2.01331979e2, -8.29855975e0, 1.37887774e-1};

// The options that the host would pass: the data file and the user's settings.
class PluginOptions {
 public:
  PluginOptions& add(const char* name, double number) {
    fv_value value{FV_VALUE_FLOAT, 0, {}};
    value.as.number = number;
    entries_.push_back({name, value});
    return *this;
  }
  PluginOptions& add(const char* name, int64_t integer, uint32_t type = FV_VALUE_INT) {
    fv_value value{type, 0, {}};
    value.as.integer = integer;
    entries_.push_back({name, value});
    return *this;
  }
  /// A row "some-model" that watches `signal`, with further fields.
  PluginOptions& row(const char* signal, bool ret = false, const char* preset = nullptr, int64_t expert = 0) {
    std::vector<fv_entry>& row = *rows_.emplace_back(std::make_unique<std::vector<fv_entry>>());
    row = {{"model", text("some-model")}, {"signal", text(signal)}};
    if (preset != nullptr) row.push_back({"preset", text(preset)});
    fv_value flag{FV_VALUE_BOOL, 0, {}};
    flag.as.integer = ret ? 1 : 0;
    row.push_back({"use_ret_steps", flag});
    fv_value number{FV_VALUE_INT, 0, {}};
    number.as.integer = expert;
    row.push_back({"expert", number});
    if (polynomial_.empty()) {
      for (const double c : kPolynomial) {
        fv_value value{FV_VALUE_FLOAT, 0, {}};
        value.as.number = c;
        polynomial_.push_back(value);
      }
    }
    fv_value list{FV_VALUE_LIST, 5, {}};
    list.as.items = polynomial_.data();
    row.push_back({"coefficients", list});
    return *this;
  }
  Options get() {
    tables_.clear();
    for (const auto& row : rows_) {
      fv_value table{FV_VALUE_TABLE, static_cast<uint32_t>(row->size()), {}};
      table.as.entries = row->data();
      tables_.push_back(table);
    }
    fv_value list{FV_VALUE_LIST, static_cast<uint32_t>(tables_.size()), {}};
    list.as.items = tables_.data();
    file_ = {"model", list};
    fv_value file{FV_VALUE_TABLE, 1, {}};
    file.as.entries = &file_;
    all_ = entries_;
    all_.push_back({"coefficients", file});
    return {all_.data(), static_cast<uint32_t>(all_.size())};
  }

 private:
  static fv_value text(const char* s) {
    fv_value value{FV_VALUE_STRING, 0, {}};
    value.as.string = s;
    return value;
  }
  std::vector<fv_entry> entries_, all_;
  std::vector<std::unique_ptr<std::vector<fv_entry>>> rows_;
  std::vector<fv_value> polynomial_, tables_;
  fv_entry file_{};
};

struct Info {
  explicit Info(int32_t steps, bool early, int32_t branches = 2)
      : sigmas(static_cast<size_t>(steps) + 1, 0.5),
        timesteps(static_cast<size_t>(steps), 500),
        expert_of_step(static_cast<size_t>(steps), 0),
        early_flag(early ? 1 : 0) {
    info.struct_size = sizeof(info);
    info.cuts = FV_CUT_BLOCKS;
    info.model = "some-model";
    info.preset = "";
    info.steps = steps;
    info.branches = branches;
    info.branches_at_once = 1;
    info.blocks = 30;
    info.experts = 1;
    info.signal_count = 1;
    info.signals = &signal;
    info.early = &early_flag;
    info.sigmas = sigmas.data();
    info.timesteps = timesteps.data();
    info.expert_of_step = expert_of_step.data();
  }
  std::vector<double> sigmas, timesteps;
  std::vector<int32_t> expert_of_step;
  const char* signal = "time.embed";
  uint8_t early_flag;
  fv_cache_session_info info{};
};

// mean |s_t| and mean |s_t - s_{t-1}| for every step.
std::vector<double> random_measures(int steps, unsigned seed) {
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> norm(0.5, 2.0), relative(0.0, 0.15);
  std::vector<double> measures;
  double previous = 0;
  for (int step = 0; step < steps; ++step) {
    const double now = norm(engine);
    measures.push_back(now);
    measures.push_back(step == 0 ? std::nan("") : relative(engine) * previous);
    previous = now;
  }
  return measures;
}

// For each forward pass, conditional and unconditional in turn: whether the blocks are left out.
std::vector<bool> published(const std::vector<double>& measures, double threshold, bool ret) {
  const int passes = static_cast<int>(measures.size());
  const int kept = ret ? 5 * 2 : 1 * 2, cutoff = ret ? passes : passes - 2;
  double accumulated[2] = {0, 0}, norm_before[2] = {0, 0};
  std::vector<bool> skipped;
  for (int count = 0; count < passes; ++count) {
    const int parity = count % 2, step = count / 2;
    const double norm = measures[static_cast<size_t>(2 * step)], change = measures[static_cast<size_t>(2 * step + 1)];
    bool skip = false;
    if (count < kept || count >= cutoff) {
      accumulated[parity] = 0;
    } else {
      const double x = change / norm_before[parity];
      double polynomial = 0;
      for (int power = 0; power < 5; ++power)
        polynomial += kPolynomial[static_cast<size_t>(4 - power)] * std::pow(x, power);
      accumulated[parity] += polynomial;
      skip = accumulated[parity] < threshold;
      if (!skip) accumulated[parity] = 0;
    }
    norm_before[parity] = norm;
    skipped.push_back(skip);
  }
  return skipped;
}

TEST(TeaCache, SkipsWhatThePublishedProcedureSkips) {
  for (const int steps : {7, 20, 50}) {
    for (const bool ret : {false, true}) {
      for (const double threshold : {0.0, 0.05, 0.3, 2.0, 30.0}) {
        PluginOptions options;
        TeaCache strategy(options.row("time.embed", ret).add("threshold", threshold).get());
        const std::vector<double> measures = random_measures(steps, static_cast<unsigned>(steps));
        const std::vector<bool> expected = published(measures, threshold, ret);

        const Info early(steps, true);
        ASSERT_EQ(strategy.refuses(early.info), "");
        const auto planned = strategy.open(early.info)->schedule(measures);
        const Info late(steps, false);
        const auto session = strategy.open(late.info);
        EXPECT_FALSE(session->plan().is_static);
        for (int pass = 0; pass < 2 * steps; ++pass) {
          const std::string where = "pass " + std::to_string(pass) + " of " + std::to_string(2 * steps) +
                                    ", threshold " + std::to_string(threshold);
          EXPECT_EQ(!planned[static_cast<size_t>(pass)].compute, expected[static_cast<size_t>(pass)]) << where;
          const int32_t branch = pass % 2;
          fv_cache_point point{sizeof(point), pass / 2, steps, 0, 0.5, &branch, 1, 0};
          const std::span<const double> now(&measures[static_cast<size_t>(pass / 2 * 2)], 2);
          EXPECT_EQ(!session->decide(point, now).compute, expected[static_cast<size_t>(pass)]) << where;
        }
      }
    }
  }
}

TEST(TeaCache, ALowerThresholdSkipsFewerSteps) {
  const std::vector<double> measures = random_measures(50, 3);
  const Info info(50, true);
  int before = -1;
  for (const double threshold : {0.0, 0.2, 0.6, 3.0}) {
    PluginOptions options;
    TeaCache strategy(options.row("time.embed").add("threshold", threshold).get());
    int skipped = 0;
    for (const CacheDecision& decision : strategy.open(info.info)->schedule(measures)) skipped += !decision.compute;
    EXPECT_GT(skipped, before) << threshold;
    before = skipped;
  }
}

TEST(TeaCache, OnePassOfTwoBranchesIsLeftOutOnlyIfBothMayBe) {
  PluginOptions options;
  TeaCache strategy(options.row("block.0.modulated").add("threshold", 1.0).get());
  Info info(10, false);
  info.signal = "block.0.modulated";
  const auto session = strategy.open(info.info);
  const int32_t branches[] = {0, 1};
  const auto decide = [&](int step, double change0, double change1) {
    const fv_cache_point point{sizeof(point), step, 10, 0, 0.5, branches, 2, 0};
    const double measured[] = {1.0, change0, 1.0, change1};
    return session->decide(point, measured).compute;
  };
  EXPECT_TRUE(decide(0, std::nan(""), std::nan("")));
  EXPECT_FALSE(decide(1, 0.01, 0.01));
  EXPECT_TRUE(decide(2, 0.01, 0.5));    // the second row has moved
  EXPECT_FALSE(decide(3, 0.01, 0.01));  // and both start anew
}

TEST(TeaCache, EachRowOfABatchAddsUpItsOwnChange) {
  PluginOptions options;
  TeaCache strategy(options.row("block.0.modulated").add("threshold", 1.0).get());
  Info info(10, false, 1);
  info.signal = "block.0.modulated";
  const auto batch = strategy.open(info.info), alone = strategy.open(info.info);
  const int32_t branches[] = {0, 0};
  for (int32_t step = 0; step < 10; ++step) {
    const double change = step == 0 ? std::nan("") : 0.12;
    fv_cache_point point{sizeof(point), step, 10, 0, 0.5, branches, 2, 0};
    const double measured[] = {1.0, change, 1.0, change};
    const bool together = batch->decide(point, measured).compute;
    point.batch = 1;
    EXPECT_EQ(together, alone->decide(point, {measured, 2}).compute) << "step " << step;
  }
}

TEST(TeaCache, AnExpertBeginsWithAComputedStep) {
  PluginOptions options;
  TeaCache strategy(options.row("time.embed").add("threshold", 1000.0).get());
  Info info(8, true);
  for (size_t step = 5; step < 8; ++step) info.expert_of_step[step] = 1;
  info.info.experts = 2;
  EXPECT_NE(strategy.refuses(info.info).find("for expert 1"), std::string::npos);

  // With a row for each expert, every step may be left out but the ends and the step at which the other expert takes
  // over.
  PluginOptions both;
  both.row("time.embed").row("time.embed", false, nullptr, 1).add("threshold", 1000.0);
  const std::vector<double> measures = random_measures(8, 1);
  for (const bool early : {true, false}) {
    Info two(8, early);
    two.expert_of_step = info.expert_of_step;
    two.info.expert_of_step = two.expert_of_step.data();
    two.info.experts = 2;
    TeaCache of_both(both.get());
    ASSERT_EQ(of_both.refuses(two.info), "");
    const auto session = of_both.open(two.info);
    std::vector<int32_t> computed;
    std::vector<CacheDecision> planned;
    if (early) planned = session->schedule(measures);
    for (int32_t step = 0; step < 8; ++step) {
      const int32_t branch = 0;
      const fv_cache_point point{sizeof(point), step,    8, two.expert_of_step[static_cast<size_t>(step)],
                                 0.5,           &branch, 1, 0};
      const CacheDecision decision =
          early ? planned[static_cast<size_t>(2 * step)]
                : session->decide(point, std::span(measures).subspan(size_t(2) * static_cast<size_t>(step), 2));
      if (decision.compute) computed.push_back(step);
    }
    EXPECT_EQ(computed, (std::vector<int32_t>{0, 5, 7})) << "early " << early;
  }
}

TEST(TeaCache, ModelsOfEqualConfigurationAreToldApartByPreset) {
  PluginOptions options;
  TeaCache strategy(
      options.row("time.embed", false, "480p").row("time.proj", false, "720p").add("threshold", 0.1).get());
  for (const auto& [preset, signal] : {std::pair{"480p", "time.embed"}, {"720p", "time.proj"}}) {
    Info info(20, true);
    info.signal = signal;
    info.info.preset = preset;
    ASSERT_EQ(strategy.refuses(info.info), "") << preset;
    EXPECT_STREQ(strategy.open(info.info)->plan().measures.at(0).signal, signal);
  }
  Info neither(20, true);
  neither.info.preset = "1080p";
  EXPECT_NE(strategy.refuses(neither.info).find("with --preset, not 1080p"), std::string::npos);
}

TEST(TeaCache, RefusesWithTheRemedy) {
  const auto refusal = [](PluginOptions& options, const Info& info) {
    return TeaCache(options.get()).refuses(info.info);
  };
  PluginOptions plain, presets, no_threshold, many;
  plain.row("time.embed").add("threshold", 0.1);

  Info unknown(20, true);
  unknown.info.model = "another-model";
  EXPECT_NE(refusal(plain, unknown).find("calibrate teacache"), std::string::npos);

  EXPECT_NE(refusal(plain, Info(2, true)).find("ask for 3 steps"), std::string::npos);
  many.row("time.embed").add("threshold", 0.1).add("kept_first_steps", int64_t{15}).add("kept_last_steps", int64_t{6});
  EXPECT_NE(refusal(many, Info(20, true)).find("first 15 and the last 6"), std::string::npos);

  presets.row("time.embed", false, "480p").row("time.embed", false, "720p").add("threshold", 0.1);
  EXPECT_NE(refusal(presets, Info(20, true)).find("480p, 720p with --preset"), std::string::npos);

  no_threshold.row("time.embed");
  EXPECT_NE(refusal(no_threshold, Info(20, true)).find("--teacache-threshold"), std::string::npos);

  Info other_signal(20, true);
  other_signal.signal = "model.out";
  EXPECT_NE(refusal(plain, other_signal).find("time.embed, which this pipeline does not measure"), std::string::npos);

  for (const double wrong : {-0.1, std::nan(""), HUGE_VAL}) {
    PluginOptions options;
    options.row("time.embed").add("threshold", wrong);
    EXPECT_THROW(TeaCache(options.get()), Refused);
  }
}

}  // namespace
}  // namespace fastvideo::teacache
