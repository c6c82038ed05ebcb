#include "plugins/cache/magcache/policy.hpp"

#include <cmath>
#include <string_view>

namespace fastvideo::magcache {
namespace {

// Replaces the blocks by the residual of the last computed step, as scheduled beforehand.
class Session final : public CacheSession {
 public:
  Session(int32_t blocks, std::vector<std::vector<bool>> skipped) : skipped_(std::move(skipped)) {
    plan_.is_static = true;
    plan_.cut = {FV_CUT_BLOCKS, 0, blocks, 0};
    plan_.slots = {{FV_KEEP_RESIDUAL, 0, 0, 0}};
  }
  const CachePlan& plan() const override { return plan_; }
  std::vector<CacheDecision> schedule(std::span<const double>) override {
    std::vector<CacheDecision> decisions;
    for (size_t step = 0; step < skipped_.front().size(); ++step)
      for (const std::vector<bool>& branch : skipped_)
        decisions.push_back(branch[step] ? CacheDecision::combined({1.0, 1.0}) : CacheDecision::computed());
    return decisions;
  }

 private:
  CachePlan plan_;
  std::vector<std::vector<bool>> skipped_;  // [branches][steps]
};

const fv_value* field(const fv_value& table, std::string_view name) {
  for (uint32_t i = 0; table.type == FV_VALUE_TABLE && i < table.count; ++i)
    if (name == table.as.entries[i].name) return &table.as.entries[i].value;
  return nullptr;
}

Row read_row(const fv_value& table, size_t number, const std::string& file) {
  const auto wrong = [&](const char* name, const char* expected) {
    return Refused(file + ": row " + std::to_string(number) + ": " + name + " should be " + expected);
  };
  Row row;
  const fv_value* model = field(table, "model");
  if (model == nullptr || model->type != FV_VALUE_STRING) throw wrong("model", "the model's configuration key");
  row.model = model->as.string;
  const fv_value* preset = field(table, "preset");
  if (preset != nullptr && preset->type != FV_VALUE_STRING) throw wrong("preset", "a string");
  if (preset != nullptr) row.preset = preset->as.string;
  const fv_value* branches = field(table, "branches");
  if (branches == nullptr || branches->type != FV_VALUE_INT || branches->as.integer < 1)
    throw wrong("branches", "the number of branches that take turns in ratios");
  row.ratios.resize(static_cast<size_t>(branches->as.integer));
  const fv_value* ratios = field(table, "ratios");
  if (ratios == nullptr || ratios->type != FV_VALUE_LIST || ratios->count == 0 ||
      ratios->count % row.ratios.size() != 0)
    throw wrong("ratios", "a list of numbers, as many for each branch");
  for (uint32_t i = 0; i < ratios->count; ++i) {
    const fv_value& value = ratios->as.items[i];
    if (value.type != FV_VALUE_FLOAT && value.type != FV_VALUE_INT) throw wrong("ratios", "a list of numbers");
    const double ratio = value.type == FV_VALUE_FLOAT ? value.as.number : static_cast<double>(value.as.integer);
    if (!(ratio > 0 && std::isfinite(ratio))) throw wrong("ratios", "a list of positive numbers");
    row.ratios[i % row.ratios.size()].push_back(ratio);
  }
  return row;
}

}  // namespace

std::vector<bool> skipped_steps(const Settings& settings, const std::vector<double>& ratios) {
  const size_t steps = ratios.size();
  const auto retained = static_cast<size_t>(std::lround(settings.retention_ratio * static_cast<double>(steps)));
  std::vector<bool> skipped(steps, false);
  double product = 1, error = 0;
  int64_t in_a_row = 0;
  for (size_t step = std::max<size_t>(retained, 1); step < steps; ++step) {
    product *= ratios[step];
    error += std::abs(1 - product);
    ++in_a_row;
    skipped[step] = error < settings.threshold && in_a_row <= settings.max_skip_steps;
    if (skipped[step]) continue;
    product = 1;
    error = 0;
    in_a_row = 0;
  }
  return skipped;
}

std::vector<double> stretched(const std::vector<double>& ratios, size_t steps) {
  if (steps == 1) return {ratios.back()};
  std::vector<double> result;
  const double scale = static_cast<double>(ratios.size() - 1) / static_cast<double>(steps - 1);
  for (size_t step = 0; step < steps; ++step)
    result.push_back(ratios[static_cast<size_t>(std::nearbyint(static_cast<double>(step) * scale))]);
  return result;
}

std::vector<Row> read_rows(const fv_value& file, const std::string& file_name) {
  std::vector<Row> rows;
  const fv_value* list = field(file, "model");
  if (list == nullptr || list->type != FV_VALUE_LIST) throw Refused(file_name + ": it has no [[model]] rows");
  for (uint32_t i = 0; i < list->count; ++i) rows.push_back(read_row(list->as.items[i], i + 1, file_name));
  return rows;
}

MagCache::MagCache(const Options& options)
    : settings_{options.number("threshold"), options.integer("max_skip_steps"), options.number("retention_ratio")} {
  if (!(settings_.threshold >= 0 && std::isfinite(settings_.threshold)))
    throw Refused("threshold " + std::to_string(settings_.threshold) + " is not a number from 0 on");
  if (!(settings_.retention_ratio >= 0 && settings_.retention_ratio <= 1))
    throw Refused("retention_ratio " + std::to_string(settings_.retention_ratio) + " is not between 0 and 1");
  const fv_value* data = options.find("ratios");
  if (data == nullptr) throw std::logic_error("the host handed over no ratios: declare them in plugin.toml");
  if (const fv_value* calibrated = options.find("calibrated_ratios"))  // first: they outrank the shipped ratios
    rows_ = read_rows(*calibrated, std::string(options.string("ratios_file")));
  for (Row& row : read_rows(*data)) rows_.push_back(std::move(row));
}

const Row* MagCache::row_for(const fv_cache_session_info& info) const {
  for (const Row& row : rows_)
    if (row.model == info.model && (row.preset.empty() || row.preset == info.preset)) return &row;
  return nullptr;
}

std::string MagCache::refuses(const fv_cache_session_info& info) const {
  if ((info.cuts & FV_CUT_BLOCKS) == 0) return "this pipeline offers no blocks to leave out";
  if (info.experts > 1) return "its ratios are of models with one expert; this one has " + std::to_string(info.experts);
  const Row* row = row_for(info);
  if (row == nullptr)
    return "there are no MagCache ratios for the model '" + std::string(info.model) +
           "'; `fastvideo calibrate magcache --model-path ...` measures them";
  if (row->ratios.size() < static_cast<size_t>(info.branches))
    return "the ratios for '" + row->model + "' were measured without guidance; use --guidance-scale 1, or calibrate";
  const auto retained = static_cast<int32_t>(std::lround(settings_.retention_ratio * info.steps));
  if (std::max(retained, 1) >= info.steps)
    return std::to_string(info.steps) + " steps leave nothing to skip: the first " +
           std::to_string(std::max(retained, 1)) + " are always computed; ask for more, or lower retention_ratio";
  return {};
}

std::unique_ptr<CacheSession> MagCache::open(const fv_cache_session_info& info) {
  const Row& row = *row_for(info);
  std::vector<std::vector<bool>> skipped;
  for (size_t branch = 0; branch < static_cast<size_t>(info.branches); ++branch)
    skipped.push_back(skipped_steps(settings_, stretched(row.ratios[branch], static_cast<size_t>(info.steps))));
  return std::make_unique<Session>(info.blocks, std::move(skipped));
}

}  // namespace fastvideo::magcache
