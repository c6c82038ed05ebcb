#include "pipelines/common/testing/attention_service.hpp"

#include <cstring>
#include <fastvideo/torch.hpp>

#include "pipelines/common/testing/plain_attention.hpp"

namespace fastvideo::testing {
namespace {

std::vector<int64_t> shape_of(const fv_tensor& t) { return {t.shape, t.shape + t.ndim}; }

at::Tensor borrow_if(const fv_tensor* t) { return t == nullptr ? at::Tensor() : borrow(*t); }

ServedCall note_of(const fv_attention_args& args) {
  ServedCall call{args.layer,
                  args.step,
                  args.first_head,
                  shape_of(*args.q),
                  shape_of(*args.k),
                  shape_of(*args.v),
                  args.q->dtype,
                  0,
                  args.log_sum_exp != nullptr,
                  {}};
  if (args.mask != nullptr) call.masks |= args.mask->dtype.code == FV_BOOL ? FV_MASK_BOOLEAN : FV_MASK_BIAS;
  if (args.key_lengths != nullptr) call.masks |= FV_MASK_KEY_LENGTHS;
  if (args.branches != nullptr) call.branches.assign(args.branches, args.branches + call.q[0]);
  return call;
}

void compute(const fv_attention_site& s, const fv_attention_args& args) {
  const AttentionSite site{.name = s.role,
                           .role = s.role,
                           .layers = s.layers,
                           .heads = s.query_heads,
                           .kv_heads = s.kv_heads,
                           .head_size = s.head_size,
                           .scale = s.scale,
                           .masks = s.masks,
                           .log_sum_exp = (s.require & FV_REQUIRE_LOG_SUM_EXP) != 0};
  at::Tensor log_sum_exp;
  const at::Tensor out = PlainAttention().run({.site = site,
                                               .layer = args.layer,
                                               .q = borrow(*args.q),
                                               .k = borrow(*args.k),
                                               .v = borrow(*args.v),
                                               .mask = borrow_if(args.mask),
                                               .key_lengths = borrow_if(args.key_lengths),
                                               .log_sum_exp = args.log_sum_exp != nullptr ? &log_sum_exp : nullptr});
  borrow(*args.out).copy_(out);
  if (log_sum_exp.defined()) borrow(*args.log_sum_exp).copy_(log_sum_exp);
}

}  // namespace

AttentionServiceForTests::AttentionServiceForTests(const fv_progress_service* progress) {
  table_.struct_size = sizeof table_;
  table_.context = this;
  table_.open = [](void* context, const fv_attention_site* const* sites, uint32_t count,
                   const fv_attention_binding** bindings, const int64_t** token_order, int64_t* token_count,
                   fv_attention_session** session, fv_text*) {
    *token_order = nullptr;
    *token_count = 0;
    *session = nullptr;
    return static_cast<AttentionServiceForTests*>(context)->open({sites, count}, bindings);
  };
  table_.prepare = [](void*, const fv_attention_binding*, void*, void*, fv_text*) -> fv_status { return FV_OK; };
  table_.run = [](void*, const fv_attention_binding* binding, const fv_attention_args* args, fv_text* error) {
    return guard(error, [&] {
      ServedSite& site = *static_cast<ServedSite*>(binding->handle);
      site.calls.push_back(note_of(*args));
      compute(site.site->get(), *args);
    });
  };
  table_.close = [](void*, fv_attention_session*) {};

  services_.abi = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "0.0.0",
                   [](const fv_services* all, const char* id) -> const void* {
                     const Services& services = *reinterpret_cast<const Services*>(all);
                     if (std::strcmp(id, FV_ATTENTION_SERVICE) == 0) return services.attention;
                     return std::strcmp(id, FV_PROGRESS_SERVICE) == 0 ? services.progress : nullptr;
                   }};
  services_.attention = &table_;
  services_.progress = progress;
}

fv_status AttentionServiceForTests::open(std::span<const fv_attention_site* const> sites,
                                         const fv_attention_binding** bindings) {
  for (size_t i = 0; i < sites.size(); ++i) {
    ServedSite& served = *sites_.emplace_back(std::make_unique<ServedSite>());
    served.site = std::make_unique<AttentionSiteCopy>(*sites[i]);
    served.info = {};
    served.info.struct_size = sizeof served.info;
    served.binding = {sizeof served.binding, 0, "TEST/exact", &served.info, &served};
    bindings[i] = &served.binding;
  }
  return FV_OK;
}

}  // namespace fastvideo::testing
