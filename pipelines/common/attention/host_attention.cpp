#include "pipelines/common/attention/host_attention.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <fastvideo/torch.hpp>
#include <optional>
#include <set>
#include <stdexcept>
#include <utility>

namespace fastvideo {
namespace {

constexpr int64_t kAlignment = 256;  // of resident and scratch memory
constexpr int64_t kRowBytes = 16;    // of tensors: pointers and strides

// Memory of `bytes` bytes on a device, at an aligned address; empty for 0 bytes. `what` and its owner are for the
// message if the allocation fails.
at::Tensor aligned_bytes(uint64_t bytes, at::Device device, const char* what, const fv_attention_binding& whose,
                         std::string_view role) {
  if (bytes == 0) return {};
  at::Tensor room;
  try {
    room = at::empty({static_cast<int64_t>(bytes) + kAlignment}, at::TensorOptions().dtype(at::kByte).device(device));
  } catch (const c10::Error& e) {
    throw OutOfMemory(std::string(whose.backend) + " at " + std::string(role) +
                      ": out of memory: " + std::to_string(bytes) + " bytes of " + what +
                      " memory are not to be had on " + device.str() + " (" + e.what_without_backtrace() + ")");
  }
  const int64_t over = static_cast<int64_t>(reinterpret_cast<uintptr_t>(room.data_ptr()) % kAlignment);
  return room.narrow(0, over == 0 ? 0 : kAlignment - over, static_cast<int64_t>(bytes));
}

// Whether a tensor may cross the ABI without a copy: last stride 1, data and other strides multiples of 16 bytes.
bool crosses(const at::Tensor& t) {
  const int64_t size = t.element_size();
  if (reinterpret_cast<uintptr_t>(t.data_ptr()) % kRowBytes != 0) return false;
  for (int64_t i = 0; i < t.dim(); ++i) {
    if (t.size(i) == 1) continue;
    if (i == t.dim() - 1 ? t.stride(i) != 1 : t.stride(i) * size % kRowBytes != 0) return false;
  }
  return true;
}

// An uninitialised tensor whose rows start on 16 bytes.
at::Tensor empty_rows(at::IntArrayRef shape, const at::TensorOptions& options) {
  const int64_t per_row = std::max<int64_t>(1, kRowBytes / static_cast<int64_t>(options.dtype().itemsize()));
  std::vector<int64_t> padded = shape.vec();
  padded.back() = (padded.back() + per_row - 1) / per_row * per_row;
  return at::empty(padded, options).narrow(-1, 0, shape.back());
}

// The tensor, or a copy of it that may cross the ABI.
at::Tensor crossing(const at::Tensor& t) {
  if (crosses(t)) return t;
  return empty_rows(t.sizes(), t.options()).copy_(t);
}

}  // namespace

HostAttention::HostAttention(const Host& run, std::vector<PlannedSite> sites, at::Device device)
    : service_(run.service<fv_attention_service>(FV_ATTENTION_SERVICE)), device_(device) {
  if (service_ == nullptr) throw std::runtime_error("this host offers no attention service to a run");
  std::set<std::string_view> names;
  std::vector<fv_attention_site> of_abi;
  std::vector<const fv_attention_site*> pointers;
  for (const PlannedSite& planned : sites) {
    if (!names.insert(planned.site.name).second)
      throw std::logic_error("two attention sites of the name " + planned.site.name);
    of_abi.push_back(as_abi(planned));
  }
  for (const fv_attention_site& site : of_abi) pointers.push_back(&site);
  std::vector<const fv_attention_binding*> handles(sites.size());
  const int64_t* order = nullptr;
  int64_t order_count = 0;
  TextBuffer text;
  check(service_->open(service_->context, pointers.data(), static_cast<uint32_t>(sites.size()), handles.data(), &order,
                       &order_count, &session_, text.get()),
        text);
  try {
    for (size_t i = 0; i < sites.size(); ++i) {
      const fv_attention_plan_info& info = *handles[i]->info;
      const std::string role = sites[i].site.role;
      Binding binding{std::move(sites[i]), handles[i],
                      aligned_bytes(info.resident_bytes, device, "resident", *handles[i], role)};
      void* resident = binding.resident.defined() ? binding.resident.data_ptr() : nullptr;
      check(service_->prepare(service_->context, binding.handle, resident, current_stream(device), text.get()), text);
      bindings_.push_back(std::move(binding));
    }
    if (order != nullptr)
      token_order_ = at::from_blob(const_cast<int64_t*>(order), {order_count}, at::kLong).clone().to(device);
  } catch (...) {
    service_->close(service_->context, session_);
    throw;
  }
}

HostAttention::~HostAttention() { service_->close(service_->context, session_); }

const HostAttention::Binding& HostAttention::binding_of(std::string_view site) const {
  for (const Binding& binding : bindings_)
    if (binding.planned.site.name == site) return binding;
  throw std::logic_error("an attention call at site " + std::string(site) + ", which the run has not planned");
}

const int32_t* HostAttention::branches_of(const AttentionCall& call) const {
  if (point_.branches.empty()) return nullptr;
  if (static_cast<int64_t>(point_.branches.size()) != call.q.size(0))
    throw std::logic_error("an attention call at site " + call.site.name + " with " + std::to_string(call.q.size(0)) +
                           " rows, where the step has " + std::to_string(point_.branches.size()) + " branches");
  return point_.branches.data();
}

at::Tensor HostAttention::run(const AttentionCall& call) {
  const Binding& binding = binding_of(call.site.name);
  require_planned(call, binding.planned);
  const int32_t* branches = branches_of(call);
  const uint64_t needed = binding.handle->info->scratch_bytes;
  if (needed > 0 && (!scratch_.defined() || static_cast<uint64_t>(scratch_.numel()) < needed)) {
    scratch_ = at::Tensor();  // the smaller block is freed first
    scratch_ = aligned_bytes(needed, device_, "scratch", *binding.handle, call.site.role);
  }
  const LentTensor q(crossing(call.q)), k(crossing(call.k)), v(crossing(call.v));
  at::Tensor result = empty_rows(call.q.sizes(), call.q.options());
  const LentTensor out(result);
  std::optional<LentTensor> mask, key_lengths, log_sum_exp;
  if (call.mask.defined()) mask.emplace(crossing(call.mask));
  if (call.key_lengths.defined()) key_lengths.emplace(crossing(call.key_lengths));
  if (call.log_sum_exp != nullptr) {
    *call.log_sum_exp =
        empty_rows({call.q.size(0), call.q.size(2), call.q.size(1)}, call.q.options().dtype(at::kFloat));
    log_sum_exp.emplace(*call.log_sum_exp);
  }

  fv_attention_args args{};
  args.struct_size = sizeof(args);
  args.q = q.get();
  args.k = k.get();
  args.v = v.get();
  args.out = out.get();
  args.mask = mask ? mask->get() : nullptr;
  args.key_lengths = key_lengths ? key_lengths->get() : nullptr;
  args.log_sum_exp = log_sum_exp ? log_sum_exp->get() : nullptr;
  args.scratch = scratch_.defined() ? scratch_.data_ptr() : nullptr;
  args.stream = current_stream(device_);
  args.step = point_.step;
  args.steps = point_.steps;
  args.sigma = point_.sigma;
  args.layer = static_cast<int32_t>(call.layer);
  args.expert = point_.expert;
  args.branches = branches;
  args.first_head = static_cast<int32_t>(call.first_head);
  TextBuffer text;
  check(service_->run(service_->context, binding.handle, &args, text.get()), text);
  return result;
}

void lend_torch_threads(const Host& host) {
  const auto* parallel = host.service<fv_parallel_service>(FV_PARALLEL_SERVICE);
  if (parallel == nullptr) return;
  at::set_num_threads(parallel->threads(parallel->context));
  parallel->lend(
      parallel->context, nullptr, [](void*) { return static_cast<int32_t>(at::get_num_threads()); },
      [](void*, int64_t count, int64_t grain, fv_parallel_body body, void* data) {
        at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) { body(data, begin, end); });
      });
}

}  // namespace fastvideo
