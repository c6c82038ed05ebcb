#include "pipelines/common/request/video_request.hpp"

#include <algorithm>
#include <span>

#include "pipelines/common/text/tokenizer/clean_prompt.hpp"

namespace fastvideo {
namespace {

// A prompt is empty if cleaning leaves it empty: it may hold spaces of all kinds, control characters and references to
// them (&nbsp;). Most prompts are known not to be empty by one letter that no cleaning removes.
void require_text(const std::string& prompt) {
  const auto letter = [](unsigned char c) { return c > 0x20 && c < 0x7F; };
  const bool plain = prompt.find_first_of("&\x1B") == std::string::npos;
  if (plain && std::any_of(prompt.begin(), prompt.end(), letter)) return;
  if (clean_prompt(prompt).empty())
    throw Refused(prompt.empty() ? "the prompt is empty; say what the video shows with --prompt"
                                 : "the prompt is empty: it holds spaces and control characters alone; say what the "
                                   "video shows with --prompt");
}

}  // namespace

VideoRequest parse_video_request(const Options& parameters, const LatentGeometry& geometry) {
  VideoRequest request{
      .prompt = parameters.has("prompt") ? std::string(parameters.string("prompt")) : std::string(),
      .negative_prompt = std::string(parameters.string("negative_prompt")),
      .size = parse_size(parameters, geometry),
      .num_inference_steps = parameters.integer("num_inference_steps"),
      .guidance_scale = parameters.number("guidance_scale"),
      .flow_shift = std::nullopt,
      .fps = parameters.integer("fps"),
      .seed = static_cast<uint64_t>(parameters.integer("seed")),
  };
  if (parameters.has("flow_shift")) request.flow_shift = parameters.number("flow_shift");
  return request;
}

std::unique_ptr<Scheduler> scheduler_for(const VideoRequest& request, SchedulerConfig config) {
  if (request.flow_shift) config.shift = *request.flow_shift;
  std::unique_ptr<Scheduler> scheduler = make_scheduler(config);
  scheduler->set_timesteps(request.num_inference_steps);
  return scheduler;
}

Texts parse_texts(const Options& parameters, const VideoRequest& request) {
  Texts texts;
  texts.now.push_back(request.prompt);
  if (request.guided()) texts.now.push_back(request.negative_prompt);
  if (const fv_value* list = parameters.find("later_prompts"); list != nullptr && list->type == FV_VALUE_LIST)
    for (const fv_value& item : std::span(list->as.items, list->count)) texts.later.emplace_back(item.as.string);
  if (parameters.has("prompt")) require_text(request.prompt);
  for (const std::string& prompt : texts.later) require_text(prompt);
  return texts;
}

}  // namespace fastvideo
