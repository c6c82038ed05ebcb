// FLASH_ATTN/cpu: blocked online softmax for tests and for machines without LibTorch.
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/cpu/blocked.hpp"

namespace fastvideo::cpu {
namespace {

constexpr uint32_t kMasks = FV_MASK_KEY_LENGTHS | FV_MASK_BOOLEAN | FV_MASK_BIAS;

class Plan final : public AttentionPlan {
 public:
  Plan(const Host& host, const fv_attention_site& site)
      : host_(host), site_(site), kernels_(kernels_for(site.dtype).front()) {
    // One batch row is packed at a time.
    scratch_bytes_ =
        packed_bytes({1, site.query_length, site.key_length, site.query_heads, site.kv_heads, site.head_size});
    name_ = std::string("cpu_blocked_") + kernels_.instructions;
  }

  void describe(fv_attention_plan_info& info) const override {
    info.numerics = FV_NUMERICS_REORDERED;
    info.scratch_bytes = scratch_bytes_;
    info.kernel = name_.c_str();
  }

  void run(const fv_attention_args& args) override {
    const Job job = make_job(site_.get(), args);
    const DenseTiles dense(job.shape);
    const std::span<const QueryTile> tiles = dense.get();
    float* packed = static_cast<float*>(args.scratch);
    for (int64_t b = 0; b < job.shape.batch; ++b) {
      host_.parallel_for(pack_tasks(job.shape), 1,
                         [&](int64_t begin, int64_t end) { kernels_.pack(job, b, packed, begin, end); });
      host_.parallel_for(static_cast<int64_t>(tiles.size()), 1, [&](int64_t begin, int64_t end) {
        kernels_.attend(job, b, packed, tiles.subspan(static_cast<size_t>(begin), static_cast<size_t>(end - begin)));
      });
    }
  }

 private:
  Host host_;
  AttentionSiteCopy site_;
  const Kernels& kernels_;
  uint64_t scratch_bytes_;
  std::string name_;
};

class Backend final : public AttentionBackend {
 public:
  Backend(const Host& host, const Options&) : host_(host) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CPU) return Support::no("runs on the CPU");
    if ((site.masks & ~kMasks) != 0) return Support::no("no causal masks");
    if ((site.require & FV_REQUIRE_CAPTURE) != 0) return Support::no("a CUDA graph cannot hold work on the CPU");
    if (site.head_size < 1 || site.kv_heads < 1 || site.query_heads % site.kv_heads != 0)
      return Support::no(std::to_string(site.query_heads) + " query heads cannot share " +
                         std::to_string(site.kv_heads) + " key heads of size " + std::to_string(site.head_size));
    if (!same_dtype(site.dtype, kFloat32) && !same_dtype(site.dtype, kBFloat16) && !same_dtype(site.dtype, kFloat16))
      return Support::no("float32, bfloat16 and float16, not " + dtype_name(site.dtype));
    return Support::yes(FV_NUMERICS_REORDERED, 0, kernels_for(site.dtype).front().instructions);
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    return std::make_unique<Plan>(host_, site);
  }

 private:
  Host host_;
};

}  // namespace
}  // namespace fastvideo::cpu

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::cpu::Backend>("FLASH_ATTN", "cpu"))
