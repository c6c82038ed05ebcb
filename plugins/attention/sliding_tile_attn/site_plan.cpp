#include "plugins/attention/sliding_tile_attn/site_plan.hpp"

namespace fastvideo::sliding_tile {

SitePlan::SitePlan(const Settings& settings, const fv_attention_site& site)
    : settings_(settings), site_(site), tiles_(settings.tiles_of(site)), token_order_(tiles_.token_order()) {
  windows_.push_back(tiles_.counts());
  window_rows_.assign(row_length(), 0);
  if (!settings.strategy) {
    windows_.push_back(settings.window);
    window_rows_.insert(window_rows_.end(), row_length(), 1);
    return;
  }
  const Strategy& strategy = *settings.strategy;
  windows_.insert(windows_.end(), strategy.windows().begin(), strategy.windows().end());
  for (int64_t step = 0; step < strategy.steps(); ++step)
    for (int64_t layer = 0; layer < strategy.layers(); ++layer)
      for (int64_t head = 0; head < strategy.heads(); ++head)
        window_rows_.push_back(static_cast<uint16_t>(1 + strategy.window_of(step, layer, head)));
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
  if (args.step >= 0)
    if (const auto reason = settings_.refuses_steps(args.steps)) throw Refused(*reason);
  if (args.first_head < 0 || args.first_head + shape.heads > site().total_heads)
    throw std::invalid_argument("attention: heads from " + std::to_string(args.first_head) + " on, " +
                                std::to_string(shape.heads) + " of them, in a model of " +
                                std::to_string(site().total_heads));
  if (!settings_.strategy) return shape;
  const Strategy& strategy = *settings_.strategy;
  if (args.step < 0 || args.step >= args.steps)
    throw Refused("a strategy file is for the steps of a denoising run, and this call is outside of one");
  if (args.layer < 0 || args.layer >= strategy.layers())
    throw std::invalid_argument("attention: layer " + std::to_string(args.layer) + " is not in the strategy file");
  return shape;
}

size_t SitePlan::window_row(const fv_attention_args& args) const {
  const auto first = static_cast<size_t>(args.first_head);
  if (args.step >= 0 && args.step < settings_.dense_steps) return first;
  if (!settings_.strategy) return row_length() + first;
  const int64_t step = settings_.strategy->nearest_step(args.step, args.steps);
  return (1 + static_cast<size_t>(step * settings_.strategy->layers() + args.layer)) * row_length() + first;
}

bool SitePlan::is_dense(const fv_attention_args& args, int64_t heads) const {
  for (int64_t head = 0; head < heads; ++head)
    if (!covers(tiles_, windows_[window_of(args, head)])) return false;
  return true;
}

}  // namespace fastvideo::sliding_tile
