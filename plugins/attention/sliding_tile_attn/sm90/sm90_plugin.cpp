// SLIDING_TILE_ATTN/sm90: the windows on the Hopper main loop of FLASH_ATTN, free of any framework.
#include <algorithm>
#include <fastvideo/plugin.hpp>

#include "plugins/attention/common/hopper/current_device.hpp"
#include "plugins/attention/common/hopper/make_call.hpp"
#include "plugins/attention/sliding_tile_attn/sm90/launch.hpp"

namespace fastvideo::sliding_tile {
namespace {

// Time over that of dense attention and the density, 1.15 to 1.20 as measured: ragged ends of runs, tiles of fewer rows
// than dense attention has.
constexpr double kOverDensity = 1.17;

class Plan final : public AttentionPlan {
 public:
  Plan(const Settings& settings, const fv_attention_site& site, const Kernel& kernel)
      : plan_(settings, site),
        kernel_(kernel),
        dense_(dense::find_kernel(kernel.bfloat16, hopper::sizes_of(site))),
        name_("sm90_" + std::to_string(kernel.rows) + "x" + std::to_string(kernel.width) + ", " +
              settings.describe(plan_.tiles())) {
    if (dense_ == nullptr) throw Refused("SLIDING_TILE_ATTN/sm90 has no dense kernel for this site");
    if (!settings.is_dense(plan_.tiles())) tables_ = std::make_unique<Tables>(plan_, kernel.rows, kernel.width);
    const hopper::CurrentDevice current(site.device.index);
    blocks_ = kernel.prepare();
    dense_blocks_ = dense_->prepare();
  }

  void describe(fv_attention_plan_info& info) const override {
    plan_.describe(info);
    info.can_capture = 1;
    info.scratch_bytes = dense_->piece_bytes(plan_.site().key_length, dense_blocks_);
    info.resident_bytes = tables_ == nullptr ? 0 : tables_->image().size();
    info.kernel = name_.c_str();
  }

  void prepare(void* resident, void* stream) override {
    if (tables_ == nullptr) return;
    const hopper::CurrentDevice current(plan_.site().device.index);
    auto* on = static_cast<cudaStream_t>(stream);
    hopper::check_cuda(
        cudaMemcpyAsync(resident, tables_->image().data(), tables_->image().size(), cudaMemcpyHostToDevice, on),
        "uploading the lists of sliding tile attention");
    hopper::check_cuda(cudaStreamSynchronize(on), "uploading the lists of sliding tile attention");
    resident_ = resident;
  }

  void run(const fv_attention_args& args) override {
    const CallShape shape = plan_.check(args);
    const hopper::Call call = hopper::make_call(plan_.site(), shape, args);
    auto* stream = static_cast<CUstream_st*>(args.stream);
    const hopper::CurrentDevice current(plan_.site().device.index);
    if (plan_.is_dense(args, shape.heads)) {
      dense_->launch(call, dense_blocks_, stream);
      return;
    }
    if (resident_ == nullptr) throw std::logic_error("a plan that was not prepared runs");
    kernel_.launch(call, tables_->at(resident_, args, shape.heads), blocks_, stream);
  }

 private:
  SitePlan plan_;
  const Kernel& kernel_;
  const dense::Kernel* dense_;  // for calls in which every head sees everything
  std::unique_ptr<Tables> tables_;
  std::string name_;
  int blocks_ = 0, dense_blocks_ = 0;
  void* resident_ = nullptr;
};

class Backend final : public AttentionBackend {
 public:
  explicit Backend(const Options& options) : settings_(options), key_block_(options.string("key_block")) {}

  Support supports(const fv_attention_site& site) const override {
    if (site.device.type != FV_DEVICE_CUDA) return Support::no("runs on a Hopper GPU");
    if (const auto reason = settings_.refuses(site)) return Support::no(*reason);
    if (find(site) == nullptr) return Support::no(no_kernel(site));
    if (site.query_heads > hopper::kMostHeads) return Support::no(too_many_heads(site));
    const TileGrid tiles = settings_.tiles_of(site);
    const dense::Kernel* dense = dense::find_kernel(same_dtype(site.dtype, kBFloat16), hopper::sizes_of(site));
    if (dense == nullptr) return Support::no(no_kernel(site));
    double score = dense::estimate(*dense, hopper::sizes_of(site));
    if (!settings_.is_dense(tiles)) score *= std::min(1.0, kOverDensity * settings_.mean_density(tiles));
    return Support::yes(settings_.is_dense(tiles) ? FV_NUMERICS_REORDERED : FV_NUMERICS_APPROXIMATE, score,
                        settings_.describe(tiles));
  }

  std::unique_ptr<AttentionPlan> plan(const fv_attention_site& site) override {
    if (const auto reason = settings_.refuses(site)) throw Refused(*reason);
    const Kernel* kernel = find(site);
    if (kernel == nullptr) throw Refused(no_kernel(site));
    if (site.query_heads > hopper::kMostHeads) throw Refused(too_many_heads(site));
    return std::make_unique<Plan>(settings_, site, *kernel);
  }

 private:
  const Kernel* find(const fv_attention_site& site) const {
    const bool bfloat16 = same_dtype(site.dtype, kBFloat16);
    if (!bfloat16 && !same_dtype(site.dtype, kFloat16)) return nullptr;
    return find_kernel(bfloat16, site.head_size, key_block_);
  }
  static std::string too_many_heads(const fv_attention_site& site) {
    return std::to_string(site.query_heads) + " heads; at most " + std::to_string(hopper::kMostHeads);
  }
  std::string no_kernel(const fv_attention_site& site) const {
    return "no kernel for " + dtype_name(site.dtype) + ", head size " + std::to_string(site.head_size) +
           " and key_block = \"" + key_block_ +
           "\": bfloat16 or float16; 64 with key blocks of 128, or 128 with 128, 144 or 176";
  }

  Settings settings_;
  std::string key_block_;
};

}  // namespace
}  // namespace fastvideo::sliding_tile

FASTVIDEO_PLUGIN(fastvideo::attention<fastvideo::sliding_tile::Backend>("SLIDING_TILE_ATTN", "sm90"))
