#include "pipelines/common/weights/weight_source.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <map>
#include <stdexcept>
#include <utility>

#include "pipelines/common/weights/mapped_file.hpp"
#include "pipelines/common/weights/safetensors.hpp"

namespace fastvideo {
namespace {

constexpr std::array<std::pair<std::string_view, at::ScalarType>, 4> kFloatingTypes{
    {{"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"F16", at::kHalf}, {"F64", at::kDouble}}};

// How far the file is read ahead of the tensor that is taken: the disk works while a tensor is converted, and borrowed
// pages are in memory when the first forward pass reads them.
constexpr uint64_t kAhead = 64 << 20;

bool aligned(const void* data, uint64_t element_size) { return reinterpret_cast<uintptr_t>(data) % element_size == 0; }

// The tensors of files, from the files' headers.
class StoredFiles : public WeightSource {
 public:
  explicit StoredFiles(std::span<const std::filesystem::path> files) {
    for (const std::filesystem::path& file : files) {
      SafetensorsHeader header = read_safetensors_header(file);
      for (auto& [name, entry] : header.tensors)
        tensors_.emplace(
            name,
            Tensor{
                {name, entry.dtype, entry.shape, entry.bytes(), header.file}, entry.begin, entry.end, files_.size()});
      files_.push_back({std::move(header.file), header.file_bytes});
    }
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, tensor] : tensors_) names.push_back(name);
    return names;
  }

  const StoredTensor* find(std::string_view name) const override {
    const auto found = tensors_.find(name);
    return found == tensors_.end() ? nullptr : &found->second.stored;
  }

 protected:
  struct Tensor {
    StoredTensor stored;
    uint64_t begin, end;  // in its file
    size_t file;
  };
  struct File {
    std::filesystem::path path;
    uint64_t bytes;
  };

  const Tensor& entry(std::string_view name) const { return tensors_.find(name)->second; }
  const std::vector<File>& files() const { return files_; }

 private:
  std::vector<File> files_;
  std::map<std::string, Tensor, std::less<>> tensors_;
};

class OutlinedFiles final : public StoredFiles {
 public:
  using StoredFiles::StoredFiles;

  at::Tensor read(std::string_view name) override {
    const StoredTensor& stored = entry(name).stored;
    return at::empty(stored.shape, at::TensorOptions(at::kMeta).dtype(floating_type(stored.dtype)));
  }
  void release(std::string_view /*name*/) override {}
  void require_unchanged() const override {}
};

class MappedFiles final : public StoredFiles {
 public:
  explicit MappedFiles(std::span<const std::filesystem::path> paths) : StoredFiles(paths) {
    for (const File& file : files())
      mappings_.push_back({std::make_shared<MappedFile>(file.path, file.bytes), /*read_to=*/0});
  }

  at::Tensor read(std::string_view name) override {
    const Tensor& tensor = entry(name);
    read_ahead(tensor);
    const std::shared_ptr<MappedFile>& mapping = mappings_[tensor.file].file;
    mapping->require_unchanged();
    const std::span<const std::byte> bytes = mapping->bytes(tensor.begin, tensor.end);
    const auto options = at::TensorOptions(at::kCPU).dtype(floating_type(tensor.stored.dtype));
    if (bytes.empty()) return at::empty(tensor.stored.shape, options);
    void* data = const_cast<std::byte*>(bytes.data());
    if (aligned(data, options.dtype().itemsize()))
      return at::from_blob(
          data, tensor.stored.shape, [mapping](void*) {}, options);
    // The format allows any offset, and LibTorch reads whole elements.
    const at::Tensor copy = at::empty(tensor.stored.shape, options);
    std::memcpy(copy.data_ptr(), data, bytes.size());
    mapping->require_unchanged();
    mapping->drop(tensor.begin, tensor.end);
    return copy;
  }

  void release(std::string_view name) override {
    const Tensor& tensor = entry(name);
    mappings_[tensor.file].file->drop(tensor.begin, tensor.end);
  }

  void require_unchanged() const override {
    for (const Mapping& mapping : mappings_) mapping.file->require_unchanged();
  }

 private:
  struct Mapping {
    std::shared_ptr<MappedFile> file;
    uint64_t read_to;  // end of the last read-ahead
  };

  // Tensors are taken by and large in the order of the file; at a tensor out of order, reading ahead begins anew.
  void read_ahead(const Tensor& tensor) {
    Mapping& mapping = mappings_[tensor.file];
    const uint64_t wanted = tensor.end + kAhead;
    if (mapping.read_to < tensor.begin || mapping.read_to > wanted) mapping.read_to = tensor.begin;
    mapping.file->prefetch(mapping.read_to, wanted);
    mapping.read_to = wanted;
  }

  std::vector<Mapping> mappings_;
};

class RenamedSource final : public WeightSource {
 public:
  RenamedSource(std::unique_ptr<WeightSource> source, std::string from, std::string to)
      : source_(std::move(source)), from_(std::move(from)), to_(std::move(to)) {}

  std::vector<std::string> names() const override {
    std::vector<std::string> names = source_->names();
    std::replace(names.begin(), names.end(), from_, to_);
    std::sort(names.begin(), names.end());
    return names;
  }
  const StoredTensor* find(std::string_view name) const override {
    return name == from_ ? nullptr : source_->find(stored_name(name));
  }
  at::Tensor read(std::string_view name) override { return source_->read(stored_name(name)); }
  void release(std::string_view name) override { source_->release(stored_name(name)); }
  void require_unchanged() const override { source_->require_unchanged(); }

 private:
  std::string_view stored_name(std::string_view name) const { return name == to_ ? from_ : name; }

  std::unique_ptr<WeightSource> source_;
  std::string from_, to_;
};

}  // namespace

bool is_floating_type(std::string_view dtype) {
  return std::any_of(kFloatingTypes.begin(), kFloatingTypes.end(), [&](const auto& one) { return one.first == dtype; });
}

at::ScalarType floating_type(std::string_view dtype) {
  for (const auto& [name, type] : kFloatingTypes)
    if (name == dtype) return type;
  throw std::invalid_argument("no floating point type: " + std::string(dtype));
}

std::unique_ptr<WeightSource> open_weight_files(std::span<const std::filesystem::path> files) {
  return std::make_unique<MappedFiles>(files);
}

std::unique_ptr<WeightSource> outline_weight_files(std::span<const std::filesystem::path> files) {
  return std::make_unique<OutlinedFiles>(files);
}

std::unique_ptr<WeightSource> renamed(std::unique_ptr<WeightSource> source, std::string from, std::string to) {
  if (source->find(from) == nullptr || source->find(to) != nullptr) return source;
  return std::make_unique<RenamedSource>(std::move(source), std::move(from), std::move(to));
}

}  // namespace fastvideo
