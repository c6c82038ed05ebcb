#include "plugins/attention/sliding_tile_attn/site_plan.hpp"

namespace fastvideo::sliding_tile {

SitePlan::SitePlan(const Settings& settings, const fv_attention_site& site)
    : settings_(settings), site_(site), tiles_(settings.tiles_of(site)), token_order_(tiles_.token_order()) {
  windows_.push_back(tiles_.counts());
  if (settings.strategy)
    windows_.insert(windows_.end(), settings.strategy->windows().begin(), settings.strategy->windows().end());
  else
    windows_.push_back(settings.window);
}

void SitePlan::describe(fv_attention_plan_info& info) const {
  info.numerics = settings_.is_dense(tiles_) ? FV_NUMERICS_REORDERED : FV_NUMERICS_APPROXIMATE;
  info.depends = settings_.depends();
  info.token_order = token_order_.data();
  info.token_count = static_cast<int64_t>(token_order_.size());
}

CallShape SitePlan::check(const fv_attention_args& args) const {
  const CallShape shape = check_call(site(), args);
  if (shape.queries != site().query_length || shape.keys != site().key_length)
    throw std::invalid_argument("attention: " + std::to_string(shape.queries) + " queries and " +
                                std::to_string(shape.keys) + " keys where the grid makes " +
                                std::to_string(site().query_length));
  if (args.mask != nullptr) throw std::invalid_argument("attention: a mask on a site that has none");
  const std::string this_run = ", and this run has " + std::to_string(args.steps);
  if (args.step >= 0 && settings_.dense_steps > args.steps)
    throw Refused("dense_steps = " + std::to_string(settings_.dense_steps) + this_run + " steps");
  if (!settings_.strategy) return shape;
  const Strategy& strategy = *settings_.strategy;
  if (args.step < 0 || args.step >= args.steps)
    throw Refused("a strategy file is for the steps of a denoising run, and this call is outside of one");
  if (args.layer < 0 || args.layer >= strategy.layers() || args.first_head < 0 ||
      args.first_head + shape.heads > strategy.heads())
    throw std::invalid_argument("attention: layer " + std::to_string(args.layer) + " and heads from " +
                                std::to_string(args.first_head) + " on are not in the strategy file");
  if (!settings_.rescale && strategy.steps() != args.steps)
    throw Refused("the strategy file " + strategy.file() + " has " + std::to_string(strategy.steps()) +
                  " steps (its last entry is of step " + std::to_string(strategy.steps() - 1) + ")" + this_run +
                  "; ask for as many, or set steps = \"rescale\" to take the nearest");
  return shape;
}

size_t SitePlan::window_of(const fv_attention_args& args, int64_t head) const {
  if (args.step >= 0 && args.step < settings_.dense_steps) return 0;
  if (!settings_.strategy) return 1;
  const Strategy& strategy = *settings_.strategy;
  return 1 + strategy.window_of(strategy.nearest_step(args.step, args.steps), args.layer, args.first_head + head);
}

}  // namespace fastvideo::sliding_tile
