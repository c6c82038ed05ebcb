#include "plugins/attention/sage_attn/settings.hpp"

#include <algorithm>

namespace fastvideo::sage {

Settings::Settings(const Options& options)
    : fp8_values(options.string("pv") == "fp8"),
      per_block(options.string("granularity") == "block"),
      smooth_k(options.boolean("smooth_k")),
      smooth_q(options.boolean("smooth_q")),
      full_precision_layers("full_precision_layers", options.string("full_precision_layers")),
      full_precision_steps("full_precision_steps", options.string("full_precision_steps")) {
  // The host has checked the choices; these are the choices that the code knows.
  if (options.string("qk") != "int8") throw Refused("qk is int8, not " + std::string(options.string("qk")));
  if (!fp8_values && options.string("pv") != "bf16")
    throw Refused("pv is fp8 or bf16, not " + std::string(options.string("pv")));
  if (!per_block && options.string("granularity") != "thread")
    throw Refused("granularity is thread or block, not " + std::string(options.string("granularity")));
}

std::optional<std::string> Settings::refuses(const fv_attention_site& site) const {
  const std::string role = site.role == nullptr ? "" : site.role;
  if (role != FV_ROLE_DIT_SELF && role != FV_ROLE_DIT_JOINT)
    return "quantises attention among video tokens (dit.self, dit.joint), not " + role;
  if (site.masks != 0) return "full attention only: no masks and no key lengths";
  if (site.head_size < 1 || site.kv_heads < 1 || site.query_heads % site.kv_heads != 0)
    return std::to_string(site.query_heads) + " query heads cannot share " + std::to_string(site.kv_heads) +
           " key heads of size " + std::to_string(site.head_size);
  if (!(site.scale > 0)) return "the scale of the scores must be positive";
  if (std::max(site.query_length, site.key_length) > INT32_MAX / 2)
    return "at most " + std::to_string(INT32_MAX / 2) + " tokens";
  if (!full_precision_layers.empty() && full_precision_layers.largest() >= site.layers)
    return "full_precision_layers names layer " + std::to_string(full_precision_layers.largest()) +
           ", and the model has " + std::to_string(site.layers) + ", the last one " + std::to_string(site.layers - 1);
  return std::nullopt;
}

CallShape Settings::check(const fv_attention_site& site, const fv_attention_args& args) const {
  const CallShape shape = check_call(site, args);
  if (args.mask != nullptr || args.key_lengths != nullptr)
    throw std::invalid_argument("attention: a mask or key lengths on a site that has none");
  if (!full_precision_steps.empty() && args.step >= 0 && full_precision_steps.largest() >= args.steps)
    throw Refused("full_precision_steps names step " + std::to_string(full_precision_steps.largest()) +
                  ", and this run has " + std::to_string(args.steps) + ", the last one " +
                  std::to_string(args.steps - 1));
  return shape;
}

bool Settings::in_full_precision(const fv_attention_args& args) const {
  return full_precision_layers.contains(args.layer) || (args.step >= 0 && full_precision_steps.contains(args.step));
}

uint32_t Settings::depends() const {
  return (full_precision_layers.empty() ? 0 : FV_DEPENDS_LAYER) | (full_precision_steps.empty() ? 0 : FV_DEPENDS_STEP);
}

std::string Settings::name() const {
  return std::string("int8_") + (fp8_values ? "fp8" : "bf16") + (per_block ? "_block" : "_thread");
}

}  // namespace fastvideo::sage
