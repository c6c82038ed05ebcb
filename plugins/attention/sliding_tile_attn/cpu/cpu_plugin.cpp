// SLIDING_TILE_ATTN/cpu: the windows on the blocked kernels of FLASH_ATTN/cpu, which take the keys of a tile as runs.
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/cpu/blocked.hpp"
#include "plugins/attention/sliding_tile_attn/cpu/calibration.hpp"
#include "plugins/attention/sliding_tile_attn/site_plan.hpp"

namespace fastvideo::sliding_tile {
namespace {

class Plan final : public AttentionPlan {
 public:
  Plan(const Host& host, const Settings& settings, const fv_attention_site& site)
      : host_(host),
        plan_(settings, site),
        kernels_(cpu::kernels_for(site.dtype).front()),
        patterns_(plan_.windows().size()),
        name_(std::string("cpu_") + kernels_.instructions + ", " + settings.describe(plan_.tiles())) {}

  void describe(fv_attention_plan_info& info) const override {
    const fv_attention_site& site = plan_.site();
    plan_.describe(info);
    // One batch row is packed at a time.
    info.scratch_bytes =
        cpu::packed_bytes({1, site.query_length, site.key_length, site.query_heads, site.kv_heads, site.head_size});
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const CallShape shape = plan_.check(args);
    const cpu::Job job = cpu::make_job(plan_.site(), args);
    const std::vector<cpu::QueryTile> tiles = query_tiles(args, shape.heads);
    const std::span<const cpu::QueryTile> all = tiles;
    float* packed = static_cast<float*>(args.scratch);
    for (int64_t b = 0; b < shape.batch; ++b) {
      host_.parallel_for(cpu::pack_tasks(shape), 1,
                         [&](int64_t begin, int64_t end) { kernels_.pack(job, b, packed, begin, end); });
      host_.parallel_for(static_cast<int64_t>(all.size()), 1, [&](int64_t begin, int64_t end) {
        kernels_.attend(job, b, packed, all.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
      });
    }
  }

 private:
  std::vector<cpu::QueryTile> query_tiles(const fv_attention_args& args, int64_t heads) {
    std::vector<cpu::QueryTile> tiles;
    for (int64_t head = 0; head < heads; ++head)
      for (const QueryRange& range : pattern(plan_.window_of(args, head)).ranges())
        for (int64_t i = 0; i < range.count; i += cpu::kTileQueries)
          tiles.push_back({head, range.first + i, std::min(cpu::kTileQueries, range.count - i), range.keys});
    return tiles;
  }

  // Made at the first use of a window.
  const Pattern& pattern(size_t window) {
    std::unique_ptr<Pattern>& made = patterns_[window];
    if (made == nullptr) made = std::make_unique<Pattern>(plan_.tiles(), plan_.beside(), plan_.windows()[window]);
    return *made;
  }

  Host host_;
  SitePlan plan_;
  const cpu::Kernels& kernels_;
  std::vector<std::unique_ptr<Pattern>> patterns_;
  std::string name_;
};

class Backend final : public AttentionBackend {
 public:
  Backend(const Host& host, const Options& options) : host_(host), settings_(options) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CPU) return Support::no("runs on the CPU");
    if ((site.require & FV_REQUIRE_CAPTURE) != 0) return Support::no("a CUDA graph cannot hold work on the CPU");
    if (!same_dtype(site.dtype, kFloat32) && !same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("float32, bfloat16 and float16, not " + dtype_name(site.dtype));
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    const TileGrid tiles = settings_.tiles_of(site);
    return Support::yes(settings_.is_dense(tiles) ? FV_NUMERICS_REORDERED : FV_NUMERICS_APPROXIMATE, 0,
                        settings_.describe(tiles));
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const auto reason = settings_.refuses(site)) throw Refused(*reason);
    return std::make_unique<Plan>(host_, settings_, site);
  }

 private:
  Host host_;
  Settings settings_;
};

}  // namespace
}  // namespace fastvideo::sliding_tile

FASTVIDEO_PLUGIN(
    fastvideo::calibrated_attention<fastvideo::sliding_tile::Backend, fastvideo::sliding_tile::SlidingTileCalibration>(
        "SLIDING_TILE_ATTN", "cpu"))
