// A library like FlashAttention-3's for tests: it registers the operator flash_attn_3::fwd with the schema of that
// package (hopper/flash_api_stable.cpp of 2025), for the CPU and in float64. stand_in_variant() is defined by
// variant.cpp.
#include <ATen/ATen.h>
#include <torch/library.h>

#include <limits>
#include <string>

// Which variant this library is.
int stand_in_variant();

namespace {

enum { kAsInstalled, kForPython, kOlder, kUnknown, kOtherType, kWithoutLengths };

// The schema without defaults, as before the summer of 2025, or with a change that no version has.
std::string schema_of(int variant) {
  const bool is_older = variant == kOlder;
  const std::string none = is_older ? "" : " = None";
  std::string text = "fwd(Tensor q, Tensor k, Tensor v";
  if (variant == kUnknown) text += ", float temperature";
  for (const char* name :
       {"Tensor(k_new!)? k_new", "Tensor(v_new!)? v_new", "Tensor? q_v", "Tensor(out!)? out", "Tensor? cu_seqlens_q",
        "Tensor? cu_seqlens_k", "Tensor? cu_seqlens_k_new", "Tensor? seqused_q"})
    text += std::string(", ") + name + none;
  if (variant == kOtherType) text += ", int[] seqused_k = []";
  if (variant != kOtherType && variant != kWithoutLengths) text += ", Tensor? seqused_k" + none;
  for (const char* name : {"int? max_seqlen_q", "int? max_seqlen_k", "Tensor? page_table", "Tensor? kv_batch_idx",
                           "Tensor? leftpad_k", "Tensor? rotary_cos", "Tensor? rotary_sin", "Tensor? seqlens_rotary",
                           "Tensor? q_descale", "Tensor? k_descale", "Tensor? v_descale"})
    text += std::string(", ") + name + none;
  text += is_older ? ", float softmax_scale, bool is_causal" : ", float? softmax_scale = None, bool is_causal = False";
  return text +
         ", int window_size_left = -1, int window_size_right = -1, int attention_chunk = 0, float softcap = 0.0, "
         "bool is_rotary_interleaved = False, Tensor? scheduler_metadata = None, int num_splits = 0, "
         "bool? pack_gqa = None, int sm_margin = 0) -> (Tensor(out!), Tensor, Tensor, Tensor)";
}

const c10::IValue& argument(const c10::FunctionSchema& schema, const torch::jit::Stack& stack, const char* name) {
  return stack[stack.size() - schema.arguments().size() + static_cast<size_t>(*schema.argumentIndexWithName(name))];
}

// Rows without keys give NaN: the package's result there differs between its versions.
void forward(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  const c10::FunctionSchema& schema = op.schema();
  const auto given = [&](const char* name) { return argument(schema, *stack, name); };
  const at::Tensor q = given("q").toTensor(), k = given("k").toTensor(), v = given("v").toTensor();
  at::Tensor out = given("out").toTensor();
  TORCH_CHECK(!given("is_causal").toBool() && given("num_splits").toInt() == 1, "plain attention in one piece");
  TORCH_CHECK(q.size(3) % 8 == 0 && q.stride(3) == 1 && out.stride(3) == 1, "rows of 16 bytes");
  std::optional<at::Tensor> used;
  if (!given("seqused_k").isNone()) {
    used = given("seqused_k").toTensor();
    TORCH_CHECK(used->scalar_type() == at::kInt && used->is_contiguous(), "seqused_k is int32 and contiguous");
  }
  const int64_t group = q.size(2) / k.size(2);
  at::Tensor lse = at::empty({q.size(0), q.size(2), q.size(1)}, at::kFloat);
  for (int64_t b = 0; b < q.size(0); ++b) {
    const int64_t count = used ? (*used)[b].item<int64_t>() : k.size(1);
    TORCH_CHECK(count <= k.size(1), "more keys than there are");
    const auto rows = [&](const at::Tensor& t, int64_t repeats) {
      return t[b].to(at::kDouble).transpose(0, 1).repeat_interleave(repeats, 0);
    };
    const at::Tensor keys = rows(k, group).slice(1, 0, count), values = rows(v, group).slice(1, 0, count);
    const at::Tensor scores = rows(q, 1).matmul(keys.transpose(1, 2)) * given("softmax_scale").toDouble();
    if (count == 0) {
      out[b].fill_(std::numeric_limits<double>::quiet_NaN());
      lse[b].fill_(std::numeric_limits<double>::quiet_NaN());
      continue;
    }
    out[b].copy_(scores.softmax(-1).matmul(values).transpose(0, 1));
    lse[b].copy_(scores.logsumexp(-1));
  }
  torch::jit::drop(*stack, schema.arguments().size());
  for (const at::Tensor& result : {out, lse, at::Tensor(), at::Tensor()}) stack->push_back(result);
}

}  // namespace

TORCH_LIBRARY(flash_attn_3, m) { m.def(schema_of(stand_in_variant()).c_str()); }
TORCH_LIBRARY_IMPL(flash_attn_3, CPU, m) { m.impl("fwd", torch::CppFunction::makeFromBoxedFunction<&forward>()); }
