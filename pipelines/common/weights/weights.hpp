// The weights of one model, taken by name, in the shape that the model expects, in its dtype and on its device. Files
// are mapped, so that a weight in the right dtype on the CPU costs no copy.
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

/// Observes the reading of weights: bytes taken or skipped so far, of all. Called before and after each tensor, and
/// after each part of a copied tensor of more than kLoadPart bytes. An exception of it (Cancelled) ends take().
using LoadWatch = std::function<void(uint64_t done, uint64_t all)>;
inline constexpr int64_t kLoadPart = 16 << 20;

/// A safetensors file or a folder of shards, half consumed. Movable. One thread at a time; the tensors taken outlive it
/// and follow LibTorch's rules.
class Weights {
 public:
  /// Opens one .safetensors file, or a folder: its files of diffusion_pytorch_model or of model, as read_weight_headers
  /// chooses them. Throws Refused naming the file and its fault.
  static Weights open(const std::filesystem::path& file_or_folder);
  /// Opens the files of one model that find_weight_files chose. `folder` is named in messages. watch is called while
  /// tensors are taken.
  static Weights open(const std::filesystem::path& folder, std::span<const std::filesystem::path> files,
                      LoadWatch watch = {});
  /// The same from the headers alone: take makes the same checks and gives tensors of the device meta, without data. If
  /// a model can be made of them, it can be loaded.
  static Weights outline(const std::filesystem::path& folder, std::span<const std::filesystem::path> files);

  /// Sizes that config.json gives, by key: messages about a shape that does not fit name them.
  void name_sizes(std::vector<std::pair<std::string, int64_t>> sizes);

  /// Throws Refused if there are tensors PREFIX0..., PREFIX1..., but not for `count` layers; `says` quotes config.json
  /// for the message: "num_layers is 30".
  void require_layers(std::string_view prefix, int64_t count, std::string_view says) const;

  Weights(Weights&&) noexcept;
  Weights& operator=(Weights&&) noexcept;
  ~Weights();

  /// The tensor of that name. On the CPU and in the file's own dtype it borrows the mapped file: never write to it.
  /// Otherwise it is a converted copy, and the file's pages are returned to the system: taking all tensors needs the
  /// memory of the copies and of one tensor. A tensor may be taken more than once. Throws Refused naming file and
  /// tensor, with expected and found shape, or the dtype if it is no floating point type (F64, F32, F16, BF16): the
  /// file is quantised.
  at::Tensor take(std::string_view name, at::IntArrayRef shape, at::ScalarType dtype, at::Device device);

  /// Renames the tensor `from` to `to`, if `from` exists and `to` does not.
  void rename(std::string from, std::string to);

  /// Returns the file's pages of a tensor to the system, for a tensor that has been converted. Tensors that borrow them
  /// stay valid and read the file again.
  void release(std::string_view name);

  bool has(std::string_view name) const;

  /// All names, in lexicographic order.
  std::vector<std::string> names() const;

  /// Counts all tensors whose names begin with `prefix` as skipped: the encoder of a VAE that only decodes.
  void skip(std::string_view prefix);

  /// The names of tensors that were neither taken nor skipped, in lexicographic order.
  std::vector<std::string> unused() const;

  /// Throws Refused naming the tensors that were neither taken nor skipped: the weights belong to another model. The
  /// watch is not called from here on.
  void finish() const;

  /// Throws std::runtime_error naming the file if a file has changed its size since it was opened: tensors that borrow
  /// the file may then hold zeros. Call it after the tensors were used.
  void require_unchanged() const;

 private:
  struct Impl;
  static Weights over(const std::filesystem::path& folder, std::unique_ptr<WeightSource> source, LoadWatch watch);
  explicit Weights(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace fastvideo
