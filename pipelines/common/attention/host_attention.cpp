#include "pipelines/common/attention/host_attention.hpp"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include <fastvideo/torch.hpp>
#include <stdexcept>

namespace fastvideo {
namespace {

constexpr int64_t kAlignment = 256;  // of resident and scratch memory
constexpr int64_t kRowBytes = 16;    // of tensors: pointers and strides

// Room for bytes on a device, from an aligned address on. Empty if none are needed. `what` and whose it is are for the
// message where there is none.
at::Tensor aligned_bytes(uint64_t bytes, at::Device device, const char* what, const fv_attention_binding& whose,
                         std::string_view role) {
  if (bytes == 0) return {};
  at::Tensor room;
  try {
    room = at::empty({static_cast<int64_t>(bytes) + kAlignment}, at::TensorOptions().dtype(at::kByte).device(device));
  } catch (const c10::Error& e) {
    throw std::runtime_error(std::string(whose.backend) + " at " + std::string(role) +
                             ": out of memory: " + std::to_string(bytes) + " bytes of " + what +
                             " memory are not to be had on " + device.str() + " (" + e.what_without_backtrace() + ")");
  }
  const int64_t over = static_cast<int64_t>(reinterpret_cast<uintptr_t>(room.data_ptr()) % kAlignment);
  return room.narrow(0, over == 0 ? 0 : kAlignment - over, static_cast<int64_t>(bytes));
}

// Whether a tensor may cross as it is: last stride 1, everything else on 16 bytes.
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

// The tensor, or a copy of it that may cross.
at::Tensor crossing(const at::Tensor& t) {
  if (crosses(t)) return t;
  return empty_rows(t.sizes(), t.options()).copy_(t);
}

}  // namespace

HostAttention::HostAttention(const Host& run, std::span<const fv_attention_site* const> sites, at::Device device)
    : service_(run.service<fv_attention_service>(FV_ATTENTION_SERVICE)), device_(device) {
  if (service_ == nullptr) throw std::runtime_error("this host offers no attention service to a run");
  std::vector<const fv_attention_binding*> handles(sites.size());
  const int64_t* order = nullptr;
  int64_t order_count = 0;
  TextBuffer text;
  check(service_->open(service_->context, sites.data(), static_cast<uint32_t>(sites.size()), handles.data(), &order,
                       &order_count, &session_, text.get()),
        text);
  try {
    for (size_t i = 0; i < sites.size(); ++i) {
      const fv_attention_plan_info& info = *handles[i]->info;
      Binding binding{sites[i]->role, handles[i],
                      aligned_bytes(info.resident_bytes, device, "resident", *handles[i], sites[i]->role)};
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

const HostAttention::Binding& HostAttention::binding_of(const char* role) const {
  for (const Binding& binding : bindings_)
    if (binding.role == role) return binding;
  throw std::logic_error("an attention call of role " + std::string(role) + ", for which the run has no site");
}

at::Tensor HostAttention::run(const AttentionCall& call) {
  const Binding& binding = binding_of(call.role);
  const uint64_t needed = binding.handle->info->scratch_bytes;
  if (needed > 0 && (!scratch_.defined() || static_cast<uint64_t>(scratch_.numel()) < needed)) {
    scratch_ = at::Tensor();  // the smaller one goes first
    scratch_ = aligned_bytes(needed, device_, "scratch", *binding.handle, call.role);
  }
  const LentTensor q(crossing(call.q)), k(crossing(call.k)), v(crossing(call.v));
  at::Tensor result = empty_rows(call.q.sizes(), call.q.options());
  const LentTensor out(result);
  std::optional<LentTensor> mask;
  if (call.bias.defined()) mask.emplace(crossing(call.bias));

  fv_attention_args args{};
  args.struct_size = sizeof(args);
  args.q = q.get();
  args.k = k.get();
  args.v = v.get();
  args.out = out.get();
  args.mask = mask ? mask->get() : nullptr;
  args.scratch = scratch_.defined() ? scratch_.data_ptr() : nullptr;
  args.stream = current_stream(device_);
  args.step = point_.step;
  args.steps = point_.steps;
  args.sigma = point_.sigma;
  args.layer = call.layer;
  args.expert = point_.expert;
  args.branches = static_cast<int64_t>(point_.branches.size()) == call.q.size(0) ? point_.branches.data() : nullptr;
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
