// The weights of one model, as the model takes them: by name, in the shape it expects, in the dtype and on the device
// it computes with. Files are mapped, so that a weight that fits as it is costs no copy.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fastvideo {

class WeightSource;

/// Follows weights that are read: bytes taken or skipped so far, of all. Called before and after each tensor, and after
/// each part of one of more than kLoadPart bytes that is copied. What it throws (Cancelled) ends the taking.
using LoadWatch = std::function<void(uint64_t done, uint64_t all)>;
inline constexpr int64_t kLoadPart = 16 << 20;

/// A safetensors file or a folder of shards, half consumed. Movable. One thread at a time; the tensors taken outlive it
/// and follow LibTorch's rules.
class Weights {
 public:
  /// Opens one .safetensors file, or a folder: its files of diffusion_pytorch_model or of model, as read_weight_headers
  /// chooses them. Throws Refused naming the file and what is wrong with it.
  static Weights open(const std::filesystem::path& file_or_folder);
  /// Opens the files of one model, those that find_weight_files chose. `folder` is what messages name. watch is called
  /// while tensors are taken.
  static Weights open(const std::filesystem::path& folder, std::span<const std::filesystem::path> files,
                      LoadWatch watch = {});
  /// The same by the files' headers alone: take checks as ever and gives tensors of the device meta, without data. A
  /// model that is made of them is one that can be loaded.
  static Weights outline(const std::filesystem::path& folder, std::span<const std::filesystem::path> files);

  /// Sizes that config.json gives, by key: a shape that does not fit is explained by them.
  void name_sizes(std::vector<std::pair<std::string, int64_t>> sizes);

  /// Throws Refused if there are tensors PREFIX0..., PREFIX1..., but not of `count` such layers; `says` is what
  /// config.json says of their number: "num_layers is 30".
  void require_layers(std::string_view prefix, int64_t count, std::string_view says) const;

  Weights(Weights&&) noexcept;
  Weights& operator=(Weights&&) noexcept;
  ~Weights();

  /// The tensor of that name. On the CPU and in the file's own dtype it borrows the mapped file: read it, never write
  /// to it. Otherwise it is a copy, converted, and the file's pages are given back to the system: taking all tensors so
  /// needs the memory of the copies and of one tensor. A tensor may be taken more than once.
  /// Throws Refused naming file and tensor, with expected and found shape, or the dtype if it is not a floating point
  /// one (F64, F32, F16, BF16): that is a quantised file.
  at::Tensor take(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype, at::Device device);

  /// Shows the tensor of the name `from` under the name `to`, where `from` is there and `to` is not.
  void rename(std::string from, std::string to);

  /// Gives the file's pages of a tensor back to the system, for one that has been made into another form. What borrows
  /// them stays valid, and reads them from the file again.
  void release(std::string_view name);

  bool has(std::string_view name) const;

  /// All names, in order.
  std::vector<std::string> names() const;

  /// Counts all tensors whose names begin so as taken: the encoder of a VAE that only decodes.
  void skip(std::string_view prefix);

  /// What was neither taken nor skipped, in order.
  std::vector<std::string> unused() const;

  /// Throws Refused naming the tensors that were neither taken nor skipped: the model is not the one that these weights
  /// are for. The watch is not called from here on.
  void finish() const;

  /// Throws std::runtime_error naming the file if a file has changed its size since it was opened: tensors that are
  /// borrowed from it may then hold zeros. To be asked after they were used.
  void require_unchanged() const;

 private:
  struct Impl;
  static Weights over(const std::filesystem::path& folder, std::unique_ptr<WeightSource> source, LoadWatch watch);
  explicit Weights(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastvideo
