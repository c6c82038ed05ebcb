#include "plugins/attention/sliding_tile_attn/cpu/calibration.hpp"

#include <cmath>

#include "plugins/attention/common/cpu/blocked.hpp"
#include "plugins/attention/common/cpu/half.hpp"
#include "plugins/attention/sliding_tile_attn/site_plan.hpp"

namespace fastvideo::sliding_tile {
namespace {

constexpr double kDefaultDensity = 0.5;

// Squared norms of one head of a batch row: of dense attention's output, and of the difference to it.
struct Squares {
  double norm = 0, difference = 0;
};

template <class T>
Squares squares(const fv_tensor& dense, const void* other, int64_t b, int64_t head, int64_t heads) {
  const TensorView<const T, 4> right(dense);
  const T* found = static_cast<const T*>(other);
  const int64_t size = right.size(3);
  Squares sum;
  for (int64_t i = 0; i < right.size(1); ++i)
    for (int64_t d = 0; d < size; ++d) {
      const double x = double{cpu::to_float((&right(b, i, head, 0))[d])};
      const double off = double{cpu::to_float(found[(i * heads + head) * size + d])} - x;
      sum.norm += x * x;
      sum.difference += off * off;
    }
  return sum;
}

std::vector<double> densities_of(const TileGrid& tiles, const std::vector<Extent>& windows) {
  std::vector<double> densities;
  densities.reserve(windows.size());
  for (const Extent& window : windows) densities.push_back(density(tiles, window));
  return densities;
}

class MeasuringPlan final : public AttentionPlan {
 public:
  MeasuringPlan(const Host& host, const Settings& settings, const fv_attention_site& site, Measurements& measurements)
      : host_(host),
        plan_(settings, site),
        kernels_(cpu::kernels_for(site.dtype).front()),
        dense_(plan_.tiles(), plan_.beside(), plan_.tiles().counts()),
        measurements_(measurements),
        room_(static_cast<size_t>(site.query_length * site.query_heads * site.head_size) * site.dtype.bits / 8) {
    for (const Extent& window : measurements.candidates)
      patterns_.push_back(std::make_unique<Pattern>(plan_.tiles(), plan_.beside(), window));
  }

  void describe(fv_attention_plan_info& info) const override {
    const fv_attention_site& site = plan_.site();
    plan_.describe(info);
    info.numerics = FV_NUMERICS_REORDERED;
    info.depends = FV_DEPENDS_STEP | FV_DEPENDS_LAYER;
    info.scratch_bytes =
        cpu::packed_bytes({1, site.query_length, site.key_length, site.query_heads, site.kv_heads, site.head_size});
    info.kernel = "dense, measuring windows";
  }

  void run(const fv_attention_args& args) override {
    const CallShape shape = plan_.check(args);
    const cpu::Job job = cpu::make_job(plan_.site(), args);
    float* packed = static_cast<float*>(args.scratch);
    for (int64_t b = 0; b < shape.batch; ++b) {
      host_.parallel_for(cpu::pack_tasks(shape), 1,
                         [&](int64_t begin, int64_t end) { kernels_.pack(job, b, packed, begin, end); });
      attend(job, b, packed, dense_);
      if (args.step >= 0) measure(job, b, packed, args);
    }
  }

 private:
  void attend(const cpu::Job& job, int64_t b, const float* packed, const Pattern& pattern) const {
    std::vector<cpu::QueryTile> tiles;
    for (int64_t head = 0; head < job.shape.heads; ++head)
      for (const QueryRange& range : pattern.ranges())
        for (int64_t i = 0; i < range.count; i += cpu::kTileQueries)
          tiles.push_back({head, range.first + i, std::min(cpu::kTileQueries, range.count - i), range.keys});
    const std::span<const cpu::QueryTile> all = tiles;
    host_.parallel_for(static_cast<int64_t>(all.size()), 1, [&](int64_t begin, int64_t end) {
      kernels_.attend(job, b, packed, all.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
    });
  }

  void measure(cpu::Job job, int64_t b, const float* packed, const fv_attention_args& args) {
    const CallShape& s = job.shape;
    if (measurements_.steps == 0) {
      measurements_.steps = args.steps;
      const size_t places = static_cast<size_t>(args.steps * measurements_.layers * measurements_.heads);
      measurements_.norms.assign(places, 0);
      measurements_.differences.assign(places, std::vector<double>(patterns_.size(), 0));
    }
    if (args.steps != measurements_.steps || args.step >= args.steps || args.layer < 0 ||
        args.layer >= measurements_.layers)
      throw std::invalid_argument("attention: step " + std::to_string(args.step) + " of " + std::to_string(args.steps) +
                                  " and layer " + std::to_string(args.layer) + " in a calibration of " +
                                  std::to_string(measurements_.steps) + " steps and " +
                                  std::to_string(measurements_.layers) + " layers");
    job.out = room_.data();
    job.out_strides = {{0, s.heads * s.size, s.size, 1}};
    job.log_sum_exp = nullptr;
    const size_t first =
        static_cast<size_t>((args.step * measurements_.layers + args.layer) * measurements_.heads + args.first_head);
    const auto measured = same_dtype(args.out->dtype, kFloat32)    ? squares<float>
                          : same_dtype(args.out->dtype, kBFloat16) ? squares<cpu::BFloat16>
                                                                   : squares<cpu::Float16>;
    for (size_t c = 0; c < patterns_.size(); ++c) {
      attend(job, b, packed, *patterns_[c]);
      host_.parallel_for(s.heads, 1, [&](int64_t begin, int64_t end) {
        for (int64_t head = begin; head < end; ++head) {
          const Squares sum = measured(*args.out, room_.data(), b, head, s.heads);
          const size_t place = first + static_cast<size_t>(head);
          measurements_.differences[place][c] += sum.difference;
          if (c == 0) measurements_.norms[place] += sum.norm;
        }
      });
    }
  }

  Host host_;
  SitePlan plan_;
  const cpu::Kernels& kernels_;
  Pattern dense_;
  std::vector<std::unique_ptr<Pattern>> patterns_;  // of the candidates
  Measurements& measurements_;
  std::vector<unsigned char> room_;  // for the output under a window
};

class MeasuringBackend final : public AttentionBackend {
 public:
  MeasuringBackend(const Host& host, const Settings& settings, const Goal& goal, Measurements& measurements)
      : host_(host), settings_(settings), goal_(goal), measurements_(measurements) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CPU) return Support::no("measures on the CPU");
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    if (!same_dtype(site.dtype, kFloat32) && !same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("float32, bfloat16 and float16, not " + dtype_name(site.dtype));
    if (measurements_.tiles && !same_model(site))
      return Support::no("a strategy file is of one grid and model, and this calibration has begun with another");
    const TileGrid tiles = settings_.tiles_of(site);
    if (tiles.size() == 1)
      return Support::no("the grid is one tile of " + to_text(tiles.tile()) +
                         ": nothing to choose; name a smaller tile");
    if (const auto why = unreachable(densities_of(tiles, candidate_windows(tiles)), goal_)) return Support::no(*why);
    return Support::yes(FV_NUMERICS_REORDERED, 0, "dense, measuring windows");
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (!measurements_.tiles) {
      measurements_.tiles.emplace(settings_.tiles_of(site));
      measurements_.layers = site.layers;
      measurements_.heads = site.total_heads;
      measurements_.candidates = candidate_windows(*measurements_.tiles);
    }
    return std::make_unique<MeasuringPlan>(host_, settings_, site, measurements_);
  }

 private:
  bool same_model(const fv_attention_site& site) const {
    return settings_.tiles_of(site).grid() == measurements_.tiles->grid() && site.layers == measurements_.layers &&
           site.total_heads == measurements_.heads;
  }
  Host host_;
  const Settings& settings_;
  const Goal& goal_;
  Measurements& measurements_;
};

}  // namespace

SlidingTileCalibration::SlidingTileCalibration(const Host& host, const Options& options) : settings_(options) {
  if (settings_.strategy || options.has("window"))
    throw Refused(std::string(settings_.strategy ? "strategy_file" : "window") +
                  " would have no effect: a calibration is what chooses the windows");
  if (options.has("calibrate_density")) goal_.density = options.number("calibrate_density");
  if (options.has("calibrate_error")) goal_.error = options.number("calibrate_error");
  if (goal_.density && goal_.error)
    throw Refused("calibrate_density and calibrate_error are two goals; leave one of them out");
  if (!goal_.density && !goal_.error) goal_.density = kDefaultDensity;
  backend_ = std::make_unique<MeasuringBackend>(host, settings_, goal_, measurements_);
}

SlidingTileCalibration::~SlidingTileCalibration() = default;

std::string SlidingTileCalibration::finish() {
  const Measurements& m = measurements_;
  if (m.steps == 0) throw Refused("nothing was measured: the runs had no attention among video tokens");
  const std::vector<double> densities = densities_of(*m.tiles, m.candidates);
  const size_t of_step = static_cast<size_t>(m.layers * m.heads);
  const size_t dense = std::min(static_cast<size_t>(settings_.dense_steps) * of_step, m.norms.size());
  std::vector<std::vector<double>> errors;
  for (size_t place = dense; place < m.norms.size(); ++place) {
    std::vector<double>& of_place = errors.emplace_back();
    for (const double difference : m.differences[place]) {
      if (!std::isfinite(difference) || !(m.norms[place] > 0))
        throw Refused("step " + std::to_string(place / of_step) + ", layer " +
                      std::to_string(place % of_step / static_cast<size_t>(m.heads)) + ", head " +
                      std::to_string(place % static_cast<size_t>(m.heads)) +
                      " gave zeros, infinity or NaN, or was not computed");
      of_place.push_back(difference / m.norms[place]);
    }
  }
  std::vector<size_t> picks(dense, m.candidates.size() - 1);
  if (!errors.empty()) {
    const std::vector<size_t> rest = pick(errors, densities, goal_);
    picks.insert(picks.end(), rest.begin(), rest.end());
  }
  return strategy_json(*m.tiles, m.candidates, picks, m.layers, m.heads);
}

}  // namespace fastvideo::sliding_tile
