#include "pipelines/wan/request.hpp"

#include <algorithm>

#include "pipelines/common/text/tokenizer/clean_prompt.hpp"

namespace fastvideo::wan {
namespace {

std::string text(int64_t value) { return std::to_string(value); }

// A side in pixels that latents and patches divide.
int64_t side(const Options& parameters, const char* name, int64_t multiple) {
  const int64_t asked = parameters.integer(name);
  if (asked >= multiple && asked % multiple == 0) return asked;
  const int64_t below = asked / multiple * multiple;
  std::string message = std::string(name) + " " + text(asked) + " is not a multiple of " + text(multiple) +
                        ", which the VAE's stride times the patch size asks for; the nearest possible: ";
  message += below >= multiple ? text(below) + " or " + text(below + multiple) : text(multiple);
  throw Refused(message);
}

// The first frame has a latent of its own, and patches over time divide the latents.
int64_t frames(const Options& parameters, int64_t stride, int64_t patch) {
  const int64_t asked = parameters.integer("num_frames");
  const int64_t least = stride * (patch - 1) + 1, period = stride * patch;
  if (asked >= least && (asked - least) % period == 0) return asked;
  const int64_t below = asked < least ? least : (asked - least) / period * period + least;
  throw Refused(
      "num_frames " + text(asked) + " is not " + text(least) + " plus a multiple of " + text(period) +
      (patch == 1 ? ", the VAE's temporal stride"
                  : ", the VAE's temporal stride times the transformer's patch over time of " + text(patch)) +
      "; the nearest possible: " + (asked < least ? text(least) : text(below) + " or " + text(below + period)));
}

at::ScalarType dtype_of(std::string_view name, const char* parameter, at::Device device) {
  if (name == "auto") return device.is_cuda() ? at::kBFloat16 : at::kFloat;
  if (name == "float32") return at::kFloat;
  if (name == "bfloat16") return at::kBFloat16;
  throw Refused(std::string(parameter) + " '" + std::string(name) + "' is not one of auto, float32, bfloat16");
}

std::vector<std::string> later_prompts(const Options& parameters) {
  std::vector<std::string> prompts;
  if (const fv_value* list = parameters.find("later_prompts"); list != nullptr && list->type == FV_VALUE_LIST)
    for (const fv_value& item : std::span(list->as.items, list->count)) prompts.emplace_back(item.as.string);
  return prompts;
}

// auto: as little memory as possible for one video, as little loading as possible for many, without the text encoder,
// which is the largest of all and done once it has read the prompts.
Offload offload(const Options& parameters) {
  const std::string_view name = parameters.string("offload");
  if (name == "none") return Offload::nothing;
  if (name == "text" || (name == "auto" && parameters.has("later_prompts"))) return Offload::text_encoder;
  return Offload::everything;
}

// Empty is what cleaning leaves empty: all kinds of spaces, control characters, and references to them (&nbsp;).
// Most prompts are told by one letter that no cleaning removes.
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

Request parse_request(const Options& parameters, const Geometry& geometry) {
  const at::Device device{std::string(parameters.string("device"))};
  Request request{
      .prompt = parameters.has("prompt") ? std::string(parameters.string("prompt")) : std::string(),
      .later_prompts = later_prompts(parameters),
      .negative_prompt = std::string(parameters.string("negative_prompt")),
      .height = side(parameters, "height", geometry.spatial_stride * geometry.patch_h),
      .width = side(parameters, "width", geometry.spatial_stride * geometry.patch_w),
      .num_frames = frames(parameters, geometry.temporal_stride, geometry.patch_t),
      .num_inference_steps = parameters.integer("num_inference_steps"),
      .guidance_scale = parameters.number("guidance_scale"),
      .flow_shift = std::nullopt,
      .fps = parameters.integer("fps"),
      .max_sequence_length = parameters.integer("max_sequence_length"),
      .seed = static_cast<uint64_t>(parameters.integer("seed")),
      .device = device,
      .dtype = dtype_of(parameters.string("dtype"), "dtype", device),
      .vae_dtype = parameters.string("vae_dtype") == "auto"
                       ? dtype_of(parameters.string("dtype"), "dtype", device)
                       : dtype_of(parameters.string("vae_dtype"), "vae_dtype", device),
      .offload = offload(parameters),
      .variant = std::string(parameters.string("variant")),
  };
  if (parameters.has("flow_shift")) request.flow_shift = parameters.number("flow_shift");
  if (parameters.has("prompt")) require_text(request.prompt);
  for (const std::string& prompt : request.later_prompts) require_text(prompt);
  return request;
}

Shape shape_of(const Request& request, const Geometry& geometry) {
  Shape shape{};
  shape.latent_frames = (request.num_frames - 1) / geometry.temporal_stride + 1;
  shape.latent_height = request.height / geometry.spatial_stride;
  shape.latent_width = request.width / geometry.spatial_stride;
  shape.grid_t = shape.latent_frames / geometry.patch_t;
  shape.grid_h = shape.latent_height / geometry.patch_h;
  shape.grid_w = shape.latent_width / geometry.patch_w;
  return shape;
}

}  // namespace fastvideo::wan
