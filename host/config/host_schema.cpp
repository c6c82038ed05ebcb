// The host's own settings. From this table come the checks, config/fastvideo.toml and the flags' help.
#include <fastvideo/attention.h>

#include "host/config/schema.hpp"

namespace fastvideo::host {

Schema Schema::host() {
  using Type = OptionType;
  const Value none = Value::List{};
  Schema schema;
  const auto add = [&schema](const std::string& section, OptionSpec option) {
    std::string path = section + "." + option.name;
    schema.add({std::move(path), "", std::move(option)});
  };

  add("attention", {.name = "backend",
                    .default_value = "auto",
                    .help = "Attention backend (TORCH_SDPA, FLASH_ATTN, ...; NAME/implementation forces one), or auto",
                    .flag = "--attention-backend",
                    .variable = "FASTVIDEO_ATTENTION_BACKEND"});
  add("attention", {.name = "default",
                    .default_value = "TORCH_SDPA",
                    .help = "Backend of the roles that the chosen backend does not claim; if unset, those of the "
                            "transformer get the best exact one"});
  add("attention", {.name = "fallback",
                    .type = Type::strings,
                    .default_value = none,
                    .help = "Substitutes, in order, where the chosen backend does not support a site; none: an error"});
  add("attention", {.name = "numerics",
                    .type = Type::strings,
                    .default_value = Value::List{"exact", "reordered"},
                    .choices = {"exact", "reordered", "approximate"},
                    .help = "What auto may choose; a backend chosen by name may be of any kind"});
  add("attention", {.name = "priority",
                    .type = Type::strings,
                    .default_value = none,
                    .help = "Backends that auto prefers, the best first; the others follow by estimated time"});
  add("attention", {.name = "self_test",
                    .type = Type::boolean,
                    .default_value = true,
                    .help = "Try each backend on a small problem, beside float64, before it is used"});
  for (const char* role :
       {FV_ROLE_DIT_SELF, FV_ROLE_DIT_CROSS, FV_ROLE_DIT_JOINT, FV_ROLE_TEXT_SELF, FV_ROLE_IMAGE_SELF, FV_ROLE_VAE_MID})
    add("attention.roles", {.name = role, .help = "Backend of this role alone; outranks backend"});

  add("cache", {.name = "strategy",
                .default_value = "none",
                .help = "Caching strategy (teacache, ...), or none",
                .flag = "--cache-strategy"});

  add("plugins", {.name = "path",
                  .type = Type::strings,
                  .default_value = none,
                  .help = "Folders of plugins, searched before the installation's own; ':' separates several in a flag "
                          "or variable",
                  .flag = "--plugin-dir",
                  .variable = "FASTVIDEO_PLUGIN_PATH",
                  .separator = ':',
                  .is_path = true});
  add("plugins",
      {.name = "disable", .type = Type::strings, .default_value = none, .help = "Ids of plugins that are passed over"});

  add("libraries",
      {.name = "path",
       .type = Type::strings,
       .default_value = none,
       .help = "Folders of shared libraries that plugins need, LibTorch's above all; set by the installation; ':' "
               "separates several in a flag",
       .separator = ':',
       .is_path = true});

  add("log", {.name = "level",
              .default_value = "INFO",
              .choices = {"DEBUG", "INFO", "WARNING", "WARN", "ERROR", "CRITICAL", "FATAL"},
              .help = "Messages below it are not shown",
              .flag = "--log-level",
              .variable = "FASTVIDEO_LOGGING_LEVEL"});

  add("run", {.name = "device",
              .default_value = "auto",
              .help = "Where models run: cpu, cuda, cuda:N, or auto (cuda if there is a device)",
              .flag = "--device"});
  add("run", {.name = "threads",
              .type = Type::integer,
              .default_value = 0,
              .minimum = 0,
              .maximum = 1024,
              .help = "CPU threads; 0: as many as the process may use",
              .flag = "--threads"});

  add("run", {.name = "memory_check",
              .type = Type::boolean,
              .default_value = true,
              .help = "Refuse a run whose estimated peak exceeds the memory that is available"});

  add("request", {.name = "model_path",
                  .help = "Model folder in diffusers format, or the name of a repository in the Hugging Face cache",
                  .flag = "--model-path"});
  add("request", {.name = "prompt", .help = "What the video shows", .flag = "--prompt"});
  add("request", {.name = "prompt_file",
                  .help = "File with one prompt on each line (# begins a comment): a video of each, loaded once",
                  .flag = "--prompt-file",
                  .is_path = true});
  add("request", {.name = "seed",
                  .type = Type::seed,
                  .help = "Seed of the noise, of every prompt; left out: a new one each time, which the run prints. "
                          "The noise depends on its lower 32 bits alone, as PyTorch's on the CPU does",
                  .flag = "--seed"});
  add("request", {.name = "preset",
                  .default_value = "auto",
                  .help = "Preset of the model's parameters by name, none, or auto (the model's own)",
                  .flag = "--preset"});
  add("request",
      {.name = "pipeline",
       .default_value = "auto",
       .help = "Pipeline that runs the model, by NAME or NAME/implementation, where several serve its class; "
               "auto: the installation's own",
       .flag = "--pipeline"});
  add("request", {.name = "output_path",
                  .default_value = "video.mp4",
                  .help = "The video: .mp4, .webm, .gif, .y4m, or a folder for PNG frames",
                  .flag = "--output-path"});
  add("request", {.name = "no_metadata",
                  .type = Type::boolean,
                  .default_value = false,
                  .help = "Leave prompt, seed, settings and versions out of the video file",
                  .flag = "--no-metadata"});
  add("request", {.name = "perf_json",
                  .help = "JSON file of what the run took: seconds per stage and step, memory, versions, hardware",
                  .flag = "--perf-json",
                  .is_path = true});
  add("request",
      {.name = "preview_path",
       .help = "PNG of what the video looks like so far, written anew while it is made: its first, middle and "
               "last frame",
       .flag = "--preview",
       .is_path = true});
  add("request", {.name = "preview_every",
                  .type = Type::integer,
                  .default_value = int64_t{5},
                  .minimum = 1,
                  .maximum = 10'000,
                  .help = "Steps from one preview to the next",
                  .flag = "--preview-every"});
  return schema;
}

bool is_of_output(std::string_view path) {
  return path == "request.output_path" || path == "request.no_metadata" || path == "request.perf_json" ||
         path == "request.preview_path" || path == "request.preview_every";
}

}  // namespace fastvideo::host
