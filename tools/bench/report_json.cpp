#include <cmath>
#include <nlohmann/json.hpp>

#include "tools/bench/report.hpp"

namespace fastvideo::host {
namespace {

using Json = nlohmann::ordered_json;

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

Json value_json(const Value& value) {
  if (value.type() == FV_VALUE_BOOL) return value.boolean();
  if (value.type() == FV_VALUE_INT) return value.integer();
  if (value.type() == FV_VALUE_FLOAT) return value.number();
  return value.type() == FV_VALUE_STRING ? value.string() : value.to_toml();
}

Json stage_json(const StageFigure& stage) {
  return {{"stage", stage.name},
          {"median_seconds", stage.seconds.median},
          {"least_seconds", stage.seconds.least},
          {"most_seconds", stage.seconds.most},
          {"speed_up", or_null(stage.speed_up)}};
}

Json run_json(const BenchRun& run) {
  Json stages = Json::object();
  for (const StageTime& stage : run.stages) stages[stage.name] = stage.seconds;
  return {{"number", run.number},
          {"seconds", run.seconds},
          {"stage_seconds", stages},
          {"passes_computed", run.passes_computed},
          {"peak_memory_bytes", or_null(run.peak_memory)}};
}

Json outcome_json(const BenchResult& result, size_t i) {
  const BenchOutcome& outcome = result.outcomes[i];
  Json json{{"name", outcome.name}, {"is_reference", i == result.plan.reference}};
  Json given = Json::object();
  for (const Given& one : result.plan.settings[i].given) given[one.path] = value_json(one.value);
  json["settings"] = given;
  json["failure"] = outcome.failure.empty() ? Json(nullptr) : Json(outcome.failure);
  if (!outcome.failure.empty()) return json;
  const SettingFigures figures = figures_of(result, outcome);
  json["attention"] = outcome.attention;
  json["stages"] = Json::array();
  for (const StageFigure& stage : figures.stages) json["stages"].push_back(stage_json(stage));
  json["passes"] = figures.passes;
  json["passes_computed"] = figures.passes_computed;
  // JSON has no infinity: a mean squared error of 0 stands for it.
  const bool is_finite = figures.psnr && std::isfinite(*figures.psnr);
  json["psnr_db"] = is_finite ? Json(*figures.psnr) : Json(nullptr);
  json["mean_squared_error"] = outcome.quality ? Json(outcome.quality->mean_squared_error) : Json(nullptr);
  json["ssim"] = or_null(figures.ssim);
  json["peak_memory_bytes"] = or_null(figures.peak_memory);
  json["runs"] = Json::array();
  for (const BenchRun& run : outcome.runs) json["runs"].push_back(run_json(run));
  return json;
}

}  // namespace

std::string bench_json(const BenchResult& result) {
  Json parameters = Json::object();
  for (const auto& [name, value] : result.parameters) parameters[name] = value_json(value);
  Json json{{"fastvideo", std::string(host_version())},
            {"model", result.model},
            {"device", result.device},
            {"parameters", parameters},
            {"prompts", result.plan.prompts},
            {"seeds", result.plan.seeds},
            {"rounds", result.plan.rounds},
            {"peak_memory_means", peak_memory_text(result.is_cuda)},
            {"settings", Json::array()}};
  for (size_t i = 0; i < result.outcomes.size(); ++i) json["settings"].push_back(outcome_json(result, i));
  // Texts that are not UTF-8 (a prompt may be anything) become replacement characters.
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace fastvideo::host
