#include "pipelines/common/weights/weights.hpp"

#include <ATen/ATen.h>

#include <array>
#include <cstring>
#include <fastvideo/core.hpp>
#include <optional>
#include <set>
#include <utility>

#include "pipelines/common/weights/mapped_file.hpp"
#include "pipelines/common/weights/safetensors.hpp"
#include "pipelines/common/weights/weight_files.hpp"

namespace fastvideo {
namespace {

std::optional<at::ScalarType> floating_dtype(std::string_view dtype) {
  static constexpr std::array<std::pair<std::string_view, at::ScalarType>, 4> dtypes{
      {{"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}, {"F64", at::kDouble}}};
  for (const auto& [name, type] : dtypes)
    if (name == dtype) return type;
  return std::nullopt;
}

// How far the file is read ahead of the tensor that is taken: the disk works while a tensor is converted, and what is
// borrowed is there when the first forward pass wants it.
constexpr uint64_t kAhead = 64 << 20;

bool aligned(const void* data, uint64_t element_size) { return reinterpret_cast<uintptr_t>(data) % element_size == 0; }

}  // namespace

struct Weights::Impl {
  struct Tensor {
    SafetensorsEntry entry;
    size_t file;
    bool used = false;
  };

  std::filesystem::path path;
  std::vector<std::filesystem::path> files;
  std::vector<std::shared_ptr<MappedFile>> mappings;  // none of an outline
  std::vector<uint64_t> read_to;                      // up to where each file was read ahead last
  std::map<std::string, Tensor, std::less<>> tensors;
  std::vector<std::pair<std::string, int64_t>> sizes;  // keys of config.json

  // Which keys ask for the sizes that a tensor has otherwise; empty if none.
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

  // What the names that are there say about one that is not; empty if nothing.
  std::string why_missing(std::string_view name) const {
    for (const auto& [other, tensor] : tensors) {
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

  // Tensors are taken by and large in the order of the file; where one is not, reading ahead begins anew there.
  void read_ahead(const Tensor& tensor) {
    uint64_t& done = read_to[tensor.file];
    const uint64_t wanted = tensor.entry.end + kAhead;
    if (done < tensor.entry.begin || done > wanted) done = tensor.entry.begin;
    mappings[tensor.file]->prefetch(done, wanted);
    done = wanted;
  }
};

Weights::Weights(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Weights::Weights(Weights&&) noexcept = default;
Weights& Weights::operator=(Weights&&) noexcept = default;
Weights::~Weights() = default;

Weights Weights::open(const std::filesystem::path& file_or_folder) {
  static constexpr std::array<std::string_view, 2> stems = {"diffusion_pytorch_model", "model"};
  if (std::error_code none; std::filesystem::is_directory(file_or_folder, none)) {
    std::vector<std::filesystem::path> files;
    for (const SafetensorsHeader& header : read_weight_headers(file_or_folder, stems)) files.push_back(header.file);
    return open(file_or_folder, files);
  }
  return open(file_or_folder, {&file_or_folder, 1});
}

Weights Weights::open(const std::filesystem::path& folder, std::span<const std::filesystem::path> files) {
  return read(folder, files, /*maps=*/true);
}

Weights Weights::outline(const std::filesystem::path& folder, std::span<const std::filesystem::path> files) {
  return read(folder, files, /*maps=*/false);
}

Weights Weights::read(const std::filesystem::path& folder, std::span<const std::filesystem::path> files, bool maps) {
  auto impl = std::make_unique<Impl>();
  impl->path = folder;
  for (const std::filesystem::path& file : files) {
    SafetensorsHeader header = read_safetensors_header(file);
    if (maps) impl->mappings.push_back(std::make_shared<MappedFile>(header.file, header.file_bytes));
    impl->read_to.push_back(0);
    for (auto& [name, entry] : header.tensors)
      impl->tensors.emplace(name, Impl::Tensor{std::move(entry), impl->files.size()});
    impl->files.push_back(std::move(header.file));
  }
  return Weights(std::move(impl));
}

at::Tensor Weights::take(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype, at::Device device) {
  const auto found = impl_->tensors.find(name);
  if (found == impl_->tensors.end())
    throw Refused(impl_->path.string() + ": no tensor " + quote_name(name) + " of shape " + shape_text(shape.vec()) +
                  impl_->why_missing(name));
  Impl::Tensor& tensor = found->second;
  const SafetensorsEntry& entry = tensor.entry;
  const auto refuse = [&](const std::string& what) {
    throw Refused(impl_->files[tensor.file].string() + ": tensor " + quote_name(name) + " " + what);
  };
  if (shape != at::IntArrayRef(entry.shape))
    refuse("has shape " + shape_text(entry.shape) + ", and the model needs " + shape_text(shape.vec()) +
           impl_->why_other(entry.shape, shape));
  const std::optional<at::ScalarType> stored = floating_dtype(entry.dtype);
  if (!stored) refuse("is " + entry.dtype + ": weights are read as F32, BF16, F16 or F64, not quantised");

  tensor.used = true;
  if (impl_->mappings.empty()) return at::empty(shape, at::TensorOptions(at::kMeta).dtype(dtype));
  const std::shared_ptr<MappedFile>& mapping = impl_->mappings[tensor.file];
  impl_->read_ahead(tensor);
  const std::span<const std::byte> bytes = mapping->bytes(entry.begin, entry.end);
  if (bytes.empty()) return at::empty(shape, at::TensorOptions(device).dtype(dtype));
  void* data = const_cast<std::byte*>(bytes.data());
  const auto options = at::TensorOptions(at::kCPU).dtype(*stored);
  const bool is_aligned = aligned(data, at::elementSize(*stored));
  mapping->require_unchanged();
  if (device.is_cpu() && dtype == *stored && is_aligned)
    return at::from_blob(
        data, shape, [mapping](void*) {}, options);

  // The format allows any offset, and LibTorch reads whole elements: unaligned bytes are copied as bytes first.
  at::Tensor source = is_aligned ? at::from_blob(data, shape, options) : at::empty(shape, options);
  if (!is_aligned) std::memcpy(source.data_ptr(), data, bytes.size());
  at::Tensor result = source.to(at::TensorOptions(device).dtype(dtype), /*non_blocking=*/false, /*copy=*/is_aligned);
  mapping->require_unchanged();
  mapping->drop(entry.begin, entry.end);
  return result;
}

void Weights::release(std::string_view name) {
  if (const auto found = impl_->tensors.find(name); found != impl_->tensors.end()) {
    const auto& [entry, file, used] = found->second;
    if (!impl_->mappings.empty()) impl_->mappings[file]->drop(entry.begin, entry.end);
  }
}

void Weights::name_sizes(std::vector<std::pair<std::string, int64_t>> sizes) { impl_->sizes = std::move(sizes); }

void Weights::require_layers(std::string_view prefix, int64_t count, std::string_view says) const {
  std::set<std::string_view> layers;
  for (auto tensor = impl_->tensors.lower_bound(prefix);
       tensor != impl_->tensors.end() && tensor->first.starts_with(prefix); ++tensor) {
    const std::string_view rest = std::string_view(tensor->first).substr(prefix.size());
    layers.insert(rest.substr(0, rest.find('.')));
  }
  if (layers.empty() || static_cast<int64_t>(layers.size()) == count) return;  // other names are told of one by one
  throw Refused(impl_->path.string() + ": config.json says that " + std::string(says) + ", and the weights have " +
                std::to_string(layers.size()) + " layers " + quote_name(std::string(prefix) + "N") +
                ": they are of different models; take both from one, or set the number that the weights have");
}

bool Weights::has(std::string_view name) const { return impl_->tensors.contains(name); }

std::vector<std::string> Weights::names() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : impl_->tensors) names.push_back(name);
  return names;
}

void Weights::skip(std::string_view prefix) {
  for (auto tensor = impl_->tensors.lower_bound(prefix);
       tensor != impl_->tensors.end() && tensor->first.starts_with(prefix); ++tensor)
    tensor->second.used = true;
}

std::vector<std::string> Weights::unused() const {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : impl_->tensors)
    if (!tensor.used) names.push_back(name);
  return names;
}

void Weights::require_unchanged() const {
  for (const std::shared_ptr<MappedFile>& mapping : impl_->mappings) mapping->require_unchanged();
}

void Weights::finish() const {
  const std::vector<std::string> names = unused();
  require_unchanged();
  if (names.empty()) return;
  constexpr size_t shown = 5;
  std::string list;
  for (size_t i = 0; i < names.size() && i < shown; ++i) list += (i == 0 ? "" : ", ") + quote_name(names[i]);
  throw Refused(impl_->path.string() + ": " + std::to_string(names.size()) + " of " +
                std::to_string(impl_->tensors.size()) + " tensors are not used by this model: " + list +
                (names.size() > shown ? ", ..." : ""));
}

}  // namespace fastvideo
