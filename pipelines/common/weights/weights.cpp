#include "pipelines/common/weights/weights.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <fastvideo/core.hpp>
#include <set>
#include <utility>

#include "pipelines/common/weights/safetensors.hpp"
#include "pipelines/common/weights/weight_files.hpp"
#include "pipelines/common/weights/weight_source.hpp"

namespace fastvideo {

struct Weights::Impl {
  std::filesystem::path path;
  std::unique_ptr<WeightSource> source;
  LoadWatch watch;
  std::set<std::string, std::less<>> used;
  std::vector<std::pair<std::string, int64_t>> sizes;  // keys of config.json
  uint64_t all_bytes = 0, done_bytes = 0;

  uint64_t bytes_of(std::string_view name) const { return source->find(name)->bytes; }

  // Counts a tensor as taken or skipped, with the bytes that were not counted while it was copied.
  void use(std::string_view name, uint64_t counted = 0) {
    if (!used.emplace(name).second)
      done_bytes -= counted;  // it was taken before
    else
      done_bytes += bytes_of(name) - counted;
    tell();
  }
  void tell() const {
    if (watch) watch(done_bytes, all_bytes);
  }

  // The configuration's keys whose sizes the tensor's shape does not have; empty if none.
  std::string why_other(const std::vector<int64_t>& found, at::IntArrayRef wanted) const {
    std::string text;
    for (size_t axis = 0; axis < wanted.size(); ++axis) {
      if (found.size() == wanted.size() && found[axis] == wanted[axis]) continue;
      for (const auto& [key, size] : sizes)
        if (size == wanted[axis] && text.find(" " + key + " ") == std::string::npos)
          text += (text.empty() ? " (config.json: " : ", ") + key + " = " + std::to_string(size);
    }
    return text.empty() ? "" : text + ")";
  }

  // A hint about a missing name from the names that exist; empty if there is none.
  std::string why_missing(std::string_view name) const {
    for (const std::string& other : source->names()) {
      if (other.find(".self_attn.q.") != std::string::npos || other.starts_with("model.diffusion_model."))
        return ", but " + quote_name(other) +
               ": these are the names of Wan's original checkpoints and of ComfyUI; take the folder in diffusers "
               "format "
               "(hf download Wan-AI/Wan2.1-T2V-1.3B-Diffusers), or convert with diffusers' "
               "scripts/convert_wan_to_diffusers.py";
      if (other.size() <= name.size() || !other.ends_with(name) || other[other.size() - name.size() - 1] != '.')
        continue;
      const std::string prefix = other.substr(0, other.size() - name.size());
      const char* origin = prefix.find("_orig_mod.") != std::string::npos ? "torch.compile puts that there"
                           : prefix.find("module.") != std::string::npos  ? "DistributedDataParallel puts that there"
                                                                          : "the model was saved as part of another";
      return ", but " + quote_name(other) + ": its names begin with " + quote_name(prefix) + " (" + origin +
             "); save it without, in Python: save_file({k.removeprefix(" + quote_name(prefix) +
             "): v for k, v in load_file(FILE).items()}, FILE) of safetensors.torch";
    }
    return {};
  }

  // A copy in that dtype on that device. Large tensors are copied in parts, so that cancelling waits for one part at
  // most.
  at::Tensor converted(const at::Tensor& stored, at::ScalarType dtype, at::Device device, uint64_t& counted) {
    const auto options = at::TensorOptions(device).dtype(dtype);
    const auto bytes = static_cast<int64_t>(stored.nbytes());
    if (bytes <= kLoadPart || stored.dim() == 0) return stored.to(options, /*non_blocking=*/false, /*copy=*/true);
    at::Tensor result = at::empty(stored.sizes(), options);
    const at::Tensor from = stored.view(-1), to = result.view(-1);
    const int64_t part = kLoadPart / stored.element_size();
    for (int64_t first = 0; first < from.size(0); first += part) {
      const int64_t count = std::min(part, from.size(0) - first);
      to.narrow(0, first, count).copy_(from.narrow(0, first, count));
      counted += static_cast<uint64_t>(count * stored.element_size());
      done_bytes += static_cast<uint64_t>(count * stored.element_size());
      tell();
    }
    return result;
  }
};

Weights::Weights(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

Weights Weights::open(const std::filesystem::path& file_or_folder) {
  static constexpr std::array<std::string_view, 2> kStems = {"diffusion_pytorch_model", "model"};
  if (std::error_code none; std::filesystem::is_directory(file_or_folder, none)) {
    std::vector<std::filesystem::path> files;
    for (const SafetensorsHeader& header : read_weight_headers(file_or_folder, kStems)) files.push_back(header.file);
    return open(file_or_folder, files);
  }
  return open(file_or_folder, {&file_or_folder, 1});
}

Weights Weights::open(const std::filesystem::path& folder, std::span<const std::filesystem::path> files,
                      LoadWatch watch) {
  return over(folder, open_weight_files(files), std::move(watch));
}

Weights Weights::outline(const std::filesystem::path& folder, std::span<const std::filesystem::path> files) {
  return over(folder, outline_weight_files(files), {});
}

Weights Weights::over(const std::filesystem::path& folder, std::unique_ptr<WeightSource> source, LoadWatch watch) {
  auto impl = std::make_unique<Impl>();
  impl->path = folder;
  impl->source = std::move(source);
  impl->watch = std::move(watch);
  for (const std::string& name : impl->source->names()) impl->all_bytes += impl->bytes_of(name);
  return Weights(std::move(impl));
}

at::Tensor Weights::take(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
  const StoredTensor* stored = impl_->source->find(name);
  if (stored == nullptr)
    throw Refused(impl_->path.string() + ": no tensor " + quote_name(name) + " of shape " + shape_text(shape.vec()) +
                  impl_->why_missing(name));
  const auto refuse = [&](const std::string& what) {
    throw Refused(stored->file.string() + ": tensor " + quote_name(stored->name) + " " + what);
  };
  if (shape != at::IntArrayRef(stored->shape))
    refuse("has shape " + shape_text(stored->shape) + ", and the model needs " + shape_text(shape.vec()) +
           impl_->why_other(stored->shape, shape));
  if (!is_floating_type(stored->dtype))
    refuse("is " + stored->dtype + ": weights are read as F32, BF16, F16 or F64, not quantised");

  impl_->tell();  // before the file is waited for
  uint64_t counted = 0;
  at::Tensor tensor = impl_->source->read(name);
  if (tensor.is_meta()) {
    tensor = at::empty_like(tensor, dtype);  // an outline's
  } else if (!device.is_cpu() || dtype != tensor.scalar_type()) {
    tensor = impl_->converted(tensor, dtype, device, counted);
    impl_->source->require_unchanged();
    impl_->source->release(name);
  }
  impl_->use(name, counted);
  return tensor;
}

void Weights::rename(std::string from, std::string to) {
  impl_->source = renamed(std::move(impl_->source), std::move(from), std::move(to));
}

void Weights::release(std::string_view name) {
  if (has(name)) impl_->source->release(name);
}

void Weights::name_sizes(std::vector<std::pair<std::string, int64_t>> sizes) { impl_->sizes = std::move(sizes); }

void Weights::require_layers(std::string_view prefix, int64_t count, std::string_view says) const {
  std::set<std::string> layers;
  for (const std::string& name : names())
    if (name.starts_with(prefix))
      layers.insert(name.substr(prefix.size(), name.find('.', prefix.size()) - prefix.size()));
  if (layers.empty() || static_cast<int64_t>(layers.size()) == count) return;  // other faults are reported name by name
  throw Refused(impl_->path.string() + ": config.json says that " + std::string(says) + ", and the weights have " +
                std::to_string(layers.size()) + " layers " + quote_name(std::string(prefix) + "N") +
                ": they are of different models; take both from one, or set the number that the weights have");
}

bool Weights::has(std::string_view name) const { return impl_->source->find(name) != nullptr; }

std::vector<std::string> Weights::names() const { return impl_->source->names(); }

void Weights::skip(std::string_view prefix) {
  for (const std::string& name : names())
    if (name.starts_with(prefix)) impl_->use(name);
}

std::vector<std::string> Weights::unused() const {
  std::vector<std::string> left;
  for (std::string& name : names())
    if (!impl_->used.contains(name)) left.push_back(std::move(name));
  return left;
}

void Weights::require_unchanged() const { impl_->source->require_unchanged(); }

void Weights::finish() const {
  impl_->watch = {};  // the objects that it refers to may not live as long
  const std::vector<std::string> names = unused();
  require_unchanged();
  if (names.empty()) return;
  constexpr size_t kShown = 5;
  std::string list;
  for (size_t i = 0; i < names.size() && i < kShown; ++i) list += (i == 0 ? "" : ", ") + quote_name(names[i]);
  throw Refused(impl_->path.string() + ": " + std::to_string(names.size()) + " of " +
                std::to_string(this->names().size()) + " tensors are not used by this model: " + list +
                (names.size() > kShown ? ", ..." : ""));
}

}  // namespace fastvideo
