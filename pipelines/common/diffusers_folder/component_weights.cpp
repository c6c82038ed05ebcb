#include "pipelines/common/diffusers_folder/component_weights.hpp"

#include <algorithm>
#include <array>
#include <fastvideo/core.hpp>
#include <map>
#include <string_view>
#include <utility>

#include "pipelines/common/weights/safetensors.hpp"
#include "pipelines/common/weights/weight_files.hpp"

namespace fastvideo {
namespace {

// Element types of weights that a model may convert; other types hold positions, masks and counters.
bool is_of_quantised(std::string_view dtype) { return dtype.starts_with("F8") || dtype == "I8" || dtype == "U8"; }

}  // namespace

ComponentWeights find_component_weights(const std::filesystem::path& folder, const std::string& stem,
                                        const std::string& variant, std::span<const std::string_view> skipped) {
  ComponentWeights weights;
  weights.folder = folder;
  std::map<std::string, uint64_t> elements_of;
  WeightFiles found = find_weight_files(folder, stem, variant);
  weights.left_over = std::move(found.left_over);
  for (const SafetensorsHeader& header : found.headers) {
    weights.files.push_back(header.file);
    for (const auto& [name, entry] : header.tensors) {
      static constexpr std::array<std::string_view, 4> kFloating = {"F32", "BF16", "F16", "F64"};
      if (std::find(kFloating.begin(), kFloating.end(), entry.dtype) == kFloating.end())
        throw Refused(
            header.file.string() + ": tensor " + quote_name(name) + " is " + entry.dtype +
            (is_of_quantised(entry.dtype)
                 ? ": quantised weights are not read; use the folder in bfloat16 or float32"
                 : ": weights are F32, BF16, F16 or F64; it is none of this model, save the file without it"));
      const auto begins = [&name = name](std::string_view prefix) { return name.starts_with(prefix); };
      if (std::none_of(skipped.begin(), skipped.end(), begins)) weights.elements += entry.elements;
      weights.bytes += entry.bytes();
      elements_of[entry.dtype] += entry.elements;
    }
  }
  const auto most = std::max_element(elements_of.begin(), elements_of.end(),
                                     [](const auto& a, const auto& b) { return a.second < b.second; });
  if (most == elements_of.end()) throw Refused(folder.string() + ": the weight files hold no tensor");
  weights.dtype = most->first;
  return weights;
}

void find_weights(const std::filesystem::path& folder, std::span<const WantedWeights> components,
                  const std::string& variant) {
  bool any = variant.empty();
  for (const auto& [component, stem, weights, skipped] : components) {
    const bool has = !variant.empty() && has_variant(folder / component, stem, variant);
    weights = find_component_weights(folder / component, stem, has ? variant : "", skipped);
    any |= has;
  }
  if (!any)
    throw Refused("variant '" + variant + "': no component of " + folder.string() +
                  " has weights of it; leave --variant out, or download them: hf download OWNER/NAME --include '*." +
                  variant + ".*'");
}

}  // namespace fastvideo
