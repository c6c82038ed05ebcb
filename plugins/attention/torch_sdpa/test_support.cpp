#include "plugins/attention/torch_sdpa/test_support.hpp"

#include <ATen/record_function.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <fastvideo/plugin.hpp>
#include <fastvideo/torch.hpp>
#include <limits>
#include <set>
#include <vector>

namespace fastvideo::torch_sdpa_test {
namespace {

const void* no_service(const fv_services*, const char*) { return nullptr; }

int64_t any_of(std::mt19937& random, std::initializer_list<int64_t> choices) {
  return choices.begin()[random() % choices.size()];
}

// [B, L, H, D] with gaps between rows, heads and tokens, as a slice of a projection of q, k and v together has.
at::Tensor strided(const std::vector<int64_t>& shape, at::ScalarType dtype, std::mt19937& random) {
  const int64_t padded = (shape[3] + 7) / 8 * 8 + any_of(random, {0, 8});
  const at::Tensor room = at::randn({shape[0], shape[1] + 1, shape[2] + 1, padded}, at::kDouble).to(dtype);
  return room.narrow(1, 1, shape[1]).narrow(2, 0, shape[2]).narrow(3, 0, shape[3]);
}

// Rows on 16 bytes, as the ABI asks.
at::Tensor padded_rows(const at::Tensor& t) {
  std::vector<int64_t> shape = t.sizes().vec();
  shape.back() = (shape.back() + 15) / 16 * 16;
  return at::empty(shape, t.options()).narrow(-1, 0, t.size(-1)).copy_(t);
}

// Records the names of the fused kernels' operators that run during its life. Registered for this thread alone.
std::set<std::string>& seen() {
  thread_local std::set<std::string> names;
  return names;
}

std::unique_ptr<at::ObserverContext> note(const at::RecordFunction& function) {
  const std::string name = function.name();
  if (name == "aten::_scaled_dot_product_attention_math") seen().insert("math");
  if (name == "aten::_scaled_dot_product_flash_attention_for_cpu") seen().insert("flash");
  if (name == "aten::_scaled_dot_product_flash_attention") seen().insert("flash");
  if (name == "aten::_scaled_dot_product_efficient_attention") seen().insert("efficient");
  if (name == "aten::_scaled_dot_product_cudnn_attention") seen().insert("cudnn");
  return nullptr;
}

}  // namespace

Backend::Backend(const std::string& kernel) {
  TextBuffer text;
  static const fv_services services = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "test", no_service};
  const fv_plugin* plugin = fastvideo_plugin(&services, text.get());
  table_ = static_cast<const fv_attention_interface*>(plugin->items[0]->get_interface(FV_ATTENTION_INTERFACE));
  fv_entry option{};
  option.name = "kernel";
  option.value.type = FV_VALUE_STRING;
  option.value.as.string = kernel.c_str();
  check(table_->create(&services, &option, 1, &backend_, text.get()), text);
}

Backend::~Backend() {
  if (backend_ != nullptr) table_->destroy(backend_);
}

std::optional<std::string> Backend::refusal(const fv_attention_site& site) const {
  TextBuffer reason;
  TextBuffer error;
  fv_attention_support support = {sizeof(fv_attention_support), 0, 0, 0, 0, *reason.get()};
  check(table_->supports(backend_, &site, &support, error.get()), error);
  if (support.supported != 0) return std::nullopt;
  return reason.str();
}

std::string Backend::remark(const fv_attention_site& site) const {
  TextBuffer reason;
  TextBuffer error;
  fv_attention_support support = {sizeof(fv_attention_support), 0, 0, 0, 0, *reason.get()};
  check(table_->supports(backend_, &site, &support, error.get()), error);
  return reason.str();
}

fv_attention_site plain_site() {
  fv_attention_site site{};
  site.struct_size = sizeof(site);
  site.role = FV_ROLE_DIT_SELF;
  site.device = {FV_DEVICE_CPU, 0};
  site.dtype = kFloat32;
  site.head_size = 16;
  site.query_heads = site.kv_heads = site.total_heads = 2;
  site.layers = 1;
  site.batch = 1;
  site.query_length = site.key_length = 8;
  site.scale = 0.25;
  return site;
}

fv_attention_site Problem::site() const {
  fv_attention_site site = plain_site();
  site.masks = masks;
  site.device = from_device(q.device());
  site.dtype = to_dtype(q.scalar_type());
  site.batch = q.size(0);
  site.query_length = q.size(1);
  site.key_length = k.size(1);
  site.query_heads = site.total_heads = static_cast<int32_t>(q.size(2));
  site.kv_heads = static_cast<int32_t>(k.size(2));
  site.head_size = static_cast<int32_t>(q.size(3));
  site.scale = scale;
  std::copy(std::begin(grid), std::end(grid), site.grid);
  return site;
}

Problem random_problem(std::mt19937& random, const Wishes& wishes) {
  at::manual_seed(random());
  const int64_t batch = any_of(random, {1, 2, 3});
  const int64_t kv_heads = any_of(random, {1, 2, 3});
  const int64_t heads = kv_heads * (wishes.grouped ? any_of(random, {2, 3}) : 1);
  const int64_t size = any_of(random, {5, 8, 16, 40, 64, 80, 128, 256});
  Problem p;
  p.masks = wishes.masks;
  int64_t queries = any_of(random, {1, 2, 17, 63, 70});
  int64_t keys = wishes.equal_lengths ? queries : any_of(random, {1, 3, 20, 64, 90});
  if ((wishes.masks & FV_MASK_FRAME_CAUSAL) != 0) {
    p.grid[0] = any_of(random, {1, 2, 5});
    p.grid[1] = any_of(random, {1, 3});
    p.grid[2] = any_of(random, {2, 4});
    queries = keys = p.grid[0] * p.grid[1] * p.grid[2];
  }
  p.q = strided({batch, queries, heads, size}, wishes.dtype, random);
  p.k = strided({batch, keys, kv_heads, size}, wishes.dtype, random);
  p.v = strided({batch, keys, kv_heads, size}, wishes.dtype, random);
  p.scale = 1.5 / std::sqrt(static_cast<double>(size));
  const std::vector<int64_t> mask_shape = {any_of(random, {1, batch}), any_of(random, {1, heads}),
                                           any_of(random, {1, queries}), keys};
  if ((wishes.masks & FV_MASK_BOOLEAN) != 0) {
    p.mask = padded_rows(at::rand(mask_shape) > 0.4);
    p.mask[0][0][0].fill_(false);
  }
  if ((wishes.masks & FV_MASK_BIAS) != 0) {
    p.mask = padded_rows(at::randn(mask_shape, at::kDouble).to(wishes.dtype));
    p.mask[0][0][0].fill_(-std::numeric_limits<double>::infinity());
  }
  if ((wishes.masks & FV_MASK_KEY_LENGTHS) != 0) {
    p.key_lengths = at::randint(0, keys + 1, {batch}, at::kInt);
  }
  return p;
}

Problem to_device(const Problem& problem, at::Device device) {
  // to() keeps only dense strides; a copy into a tensor of the same layout keeps all strides.
  const auto move = [device](const at::Tensor& t) {
    if (!t.defined()) return t;
    std::vector<int64_t> strides = t.strides().vec();
    return at::empty_strided(t.sizes(), strides, t.options().device(device)).copy_(t);
  };
  Problem moved = problem;
  for (at::Tensor* t : {&moved.q, &moved.k, &moved.v, &moved.mask, &moved.key_lengths}) *t = move(*t);
  return moved;
}

Result run(const Backend& backend, const Problem& p) {
  const fv_attention_interface& table = backend.table();
  const fv_attention_site site = p.site();
  TextBuffer text;
  fv_attention_plan* plan = nullptr;
  fv_attention_plan_info info{};
  info.struct_size = sizeof(info);
  check(table.plan(backend.get(), &site, &plan, &info, text.get()), text);

  Result result;
  result.kernel = info.kernel;
  result.order = info.token_order;
  // NaN everywhere, so that unwritten elements show.
  result.out = padded_rows(at::full(p.q.sizes(), std::numeric_limits<double>::quiet_NaN(), p.q.options()));
  const LentTensor q(p.q), k(p.k), v(p.v), out(result.out);
  std::optional<LentTensor> mask;
  std::optional<LentTensor> lengths;
  if (p.mask.defined()) mask.emplace(p.mask);
  if (p.key_lengths.defined()) lengths.emplace(p.key_lengths);
  fv_attention_args args{};
  args.struct_size = sizeof(args);
  args.q = q.get();
  args.k = k.get();
  args.v = v.get();
  args.out = out.get();
  args.mask = mask ? mask->get() : nullptr;
  args.key_lengths = lengths ? lengths->get() : nullptr;
  args.stream = current_stream(p.q.device());
  args.step = -1;

  seen().clear();
  const auto handle = at::addThreadLocalCallback(
      at::RecordFunctionCallback(note).scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION}));
  const fv_status status = table.run(plan, &args, text.get());
  at::removeCallback(handle);
  table.destroy_plan(plan);
  check(status, text);
  for (const std::string& name : seen()) result.ran += (result.ran.empty() ? "" : "+") + name;
  return result;
}

at::Tensor formula(const Problem& p) {
  const auto plain = [](const at::Tensor& t) { return t.to(at::kCPU).to(at::kDouble).contiguous(); };
  const at::Tensor q = plain(p.q), k = plain(p.k), v = plain(p.v);
  const int64_t batch = q.size(0), queries = q.size(1), heads = q.size(2), size = q.size(3), keys = k.size(1);
  const int64_t kv_heads = k.size(2);
  const bool boolean = p.mask.defined() && p.mask.scalar_type() == at::kBool;
  at::Tensor mask;
  if (p.mask.defined()) mask = plain(p.mask).expand({batch, heads, queries, keys}).contiguous();
  const at::Tensor lengths = p.key_lengths.defined() ? plain(p.key_lengths) : at::Tensor();
  const int64_t frame = p.grid[1] * p.grid[2];

  at::Tensor out = at::zeros_like(q);
  const auto* Q = q.const_data_ptr<double>();
  const auto* K = k.const_data_ptr<double>();
  const auto* V = v.const_data_ptr<double>();
  auto* O = out.data_ptr<double>();
  std::vector<double> score(static_cast<size_t>(keys));
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t h = 0; h < heads; ++h) {
      const int64_t g = h / (heads / kv_heads);
      for (int64_t i = 0; i < queries; ++i) {
        double top = -std::numeric_limits<double>::infinity();
        for (int64_t j = 0; j < keys; ++j) {
          double s = 0;
          for (int64_t d = 0; d < size; ++d) {
            s += Q[((b * queries + i) * heads + h) * size + d] * K[((b * keys + j) * kv_heads + g) * size + d];
          }
          s *= p.scale;
          bool hidden = false;
          if (mask.defined()) {
            const double m = mask.const_data_ptr<double>()[((b * heads + h) * queries + i) * keys + j];
            boolean ? hidden |= m == 0 : s += m;
          }
          hidden |= lengths.defined() && j >= lengths.const_data_ptr<double>()[b];
          hidden |= (p.masks & FV_MASK_CAUSAL) != 0 && j > i;
          hidden |= (p.masks & FV_MASK_FRAME_CAUSAL) != 0 && j / frame > i / frame;
          score[j] = hidden ? -std::numeric_limits<double>::infinity() : s;
          top = std::max(top, score[j]);
        }
        if (std::isinf(top)) continue;
        double total = 0;
        for (int64_t j = 0; j < keys; ++j) total += score[j] = std::exp(score[j] - top);
        for (int64_t j = 0; j < keys; ++j) {
          for (int64_t d = 0; d < size; ++d) {
            O[((b * queries + i) * heads + h) * size + d] +=
                score[j] / total * V[((b * keys + j) * kv_heads + g) * size + d];
          }
        }
      }
    }
  }
  return out;
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  const at::Tensor x = a.to(at::kCPU).to(at::kDouble);
  const at::Tensor y = b.to(at::kCPU).to(at::kDouble);
  return (x - y).norm().item<double>() / std::max(y.norm().item<double>(), 1e-30);
}

double tolerance(at::ScalarType dtype) {
  // The output's rounding alone is half a unit in the last place: 2^-9, 2^-12, 2^-25 and 2^-54 at most. Kernels also
  // round the weights to the input's type, and sums of up to 256 products in float32 lose some more.
  switch (dtype) {
    case at::kBFloat16:
      return 6e-3;
    case at::kHalf:
      return 8e-4;
    case at::kFloat:
      return 2e-6;
    default:
      return 1e-14;
  }
}

}  // namespace fastvideo::torch_sdpa_test
