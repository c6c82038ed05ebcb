#include "plugins/attention/sparse_attn/site_plan.hpp"

#include "plugins/attention/common/video/tile_grid.hpp"

namespace fastvideo::sparse {

SitePlan::SitePlan(const Settings& settings, const fv_attention_site& site, int rows, int width)
    : settings_(settings), site_(site), routing_(settings.routing(site, rows, width)) {
  if (settings.raster) return;
  const Extent grid{{site.grid[0], site.grid[1], site.grid[2]}};
  token_order_ = TileGrid(grid, settings.tile_of(site, width)).token_order();
}

void SitePlan::describe(fv_attention_plan_info& info) const {
  info.numerics = settings_.is_dense() ? FV_NUMERICS_REORDERED : FV_NUMERICS_APPROXIMATE;
  info.depends = settings_.depends();
  if (token_order_.empty()) return;
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
  return shape;
}

bool SitePlan::is_dense(const fv_attention_args& args) const {
  return settings_.is_dense() || settings_.dense_layers.contains(args.layer) ||
         (args.step >= 0 && args.step < settings_.dense_steps);
}

}  // namespace fastvideo::sparse
