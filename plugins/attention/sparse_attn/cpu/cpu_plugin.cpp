// SPARSE_ATTN/cpu: the chosen blocks on the blocked kernels of FLASH_ATTN/cpu, which take the keys of a tile as runs.
#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/cpu/blocked.hpp"
#include "plugins/attention/sparse_attn/cpu/router.hpp"
#include "plugins/attention/sparse_attn/cpu/skipping.hpp"
#include "plugins/attention/sparse_attn/site_plan.hpp"

namespace fastvideo::sparse {
namespace {

class CpuPlan final : public AttentionPlan {
 public:
  CpuPlan(const Host& host, const Settings& settings, const fv_attention_site& site, int block)
      : host_(host),
        settings_(settings),
        plan_(settings, site, block, block),
        kernels_(cpu::kernels_for(site.dtype).front()),
        name_(std::string("cpu_") + kernels_.instructions + ", " + settings.describe(site, block)) {}

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
    float* packed = static_cast<float*>(args.scratch);
    const cpu::DenseTiles dense(shape);
    for (int64_t b = 0; b < shape.batch; ++b) {
      host_.parallel_for(cpu::pack_tasks(shape), 1,
                         [&](int64_t begin, int64_t end) { kernels_.pack(job, b, packed, begin, end); });
      if (plan_.is_dense(args))
        attend(job, b, packed, dense.get());
      else if (settings_.select == Select::threshold)
        attend_above(job, b);
      else
        attend_chosen(job, b, packed);
    }
  }

 private:
  void attend(const cpu::Job& job, int64_t b, const float* packed, std::span<const cpu::QueryTile> tiles) {
    host_.parallel_for(static_cast<int64_t>(tiles.size()), 1, [&](int64_t begin, int64_t end) {
      kernels_.attend(job, b, packed, tiles.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
    });
  }

  void attend_above(const cpu::Job& job, int64_t b) {
    const int64_t rows = plan_.routing().rows, blocks = plan_.routing().query_blocks();
    host_.parallel_for(job.shape.heads * blocks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t first = i % blocks * rows, count = std::min(rows, job.shape.queries - first);
        attend_skipping(job, plan_.site().dtype, b, i / blocks, first, count, rows, rows, settings_.threshold);
      }
    });
  }

  void attend_chosen(const cpu::Job& job, int64_t b, const float* packed) {
    const Routing& routing = plan_.routing();
    const CallShape& shape = job.shape;
    Means means(routing, shape);
    host_.parallel_for(means.tasks(), 1,
                       [&](int64_t begin, int64_t end) { means.fill(job, plan_.site().dtype, b, begin, end); });
    const int64_t blocks = routing.query_blocks(), heads_of_key = shape.heads / shape.kv_heads;
    std::vector<std::vector<KeyRun>> seen(static_cast<size_t>(shape.heads * blocks));
    host_.parallel_for(static_cast<int64_t>(seen.size()), 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        seen[static_cast<size_t>(i)] = route(routing, means, shape.size, job.scale, i / blocks,
                                             i / blocks / heads_of_key, static_cast<int>(i % blocks), job.keys_of(b));
    });
    std::vector<cpu::QueryTile> tiles;
    for (int64_t i = 0; i < shape.heads * blocks; ++i) {
      const int64_t first = i % blocks * routing.rows, end = std::min<int64_t>(first + routing.rows, shape.queries);
      for (int64_t at = first; at < end; at += cpu::kTileQueries)
        tiles.push_back({i / blocks, at, std::min(cpu::kTileQueries, end - at), seen[static_cast<size_t>(i)]});
    }
    attend(job, b, packed, tiles);
  }

  Host host_;
  const Settings& settings_;
  SitePlan plan_;
  const cpu::Kernels& kernels_;
  std::string name_;
};

class CpuBackend final : public AttentionBackend {
 public:
  CpuBackend(const Host& host, const Options& options)
      : host_(host), settings_(options), block_(static_cast<int>(options.integer("block"))) {
    if (block_ % kParts != 0)
      throw Refused("block = " + std::to_string(block_) + ": a block is cut into " + std::to_string(kParts) +
                    " parts, so it must be a multiple of " + std::to_string(kParts));
  }

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CPU) return Support::no("runs on the CPU");
    if ((site.require & FV_REQUIRE_CAPTURE) != 0) return Support::no("a CUDA graph cannot hold work on the CPU");
    if (!same_dtype(site.dtype, kFloat32) && !same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("float32, bfloat16 and float16, not " + dtype_name(site.dtype));
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    return Support::yes(settings_.is_dense() ? FV_NUMERICS_REORDERED : FV_NUMERICS_APPROXIMATE, 0,
                        settings_.describe(site, block_));
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const auto reason = settings_.refuses(site)) throw Refused(*reason);
    return std::make_unique<CpuPlan>(host_, settings_, site, block_);
  }

 private:
  Host host_;
  Settings settings_;
  int block_;
};

}  // namespace
}  // namespace fastvideo::sparse

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::sparse::CpuBackend>("SPARSE_ATTN", "cpu"))
