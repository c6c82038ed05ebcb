#include "pipelines/common/testing/tensor_file.hpp"

#include <ATen/ATen.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <utility>

namespace fastvideo::testing {
namespace {

constexpr std::pair<const char*, at::ScalarType> kDtypes[] = {
    {"F32", at::kFloat}, {"BF16", at::kBFloat16}, {"I64", at::kLong}};

}  // namespace

TensorMap read_tensors(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  uint64_t header_bytes = 0;
  in.read(reinterpret_cast<char*>(&header_bytes), sizeof(header_bytes));
  std::string text(header_bytes, '\0');
  in.read(text.data(), static_cast<std::streamsize>(header_bytes));
  if (!in) throw std::runtime_error("cannot read " + file.string());

  const nlohmann::json header = nlohmann::json::parse(text);
  TensorMap tensors;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") continue;
    for (const auto& [dtype_name, dtype] : kDtypes) {
      if (entry.at("dtype") != dtype_name) continue;
      at::Tensor tensor = at::empty(entry.at("shape").get<std::vector<int64_t>>(), dtype);
      in.seekg(static_cast<std::streamoff>(sizeof(header_bytes) + header_bytes +
                                           entry.at("data_offsets").at(0).get<uint64_t>()));
      in.read(static_cast<char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
      tensors.emplace(name, tensor);
    }
    if (!in || !tensors.contains(name)) throw std::runtime_error(file.string() + ": cannot read tensor " + name);
  }
  return tensors;
}

void write_tensors(const std::filesystem::path& file, const TensorMap& tensors) {
  nlohmann::json header = nlohmann::json::object();
  TensorMap stored;
  uint64_t offset = 0;
  for (const auto& [name, given] : tensors) {
    const at::Tensor tensor = given.detach().cpu().contiguous();
    for (const auto& [dtype_name, dtype] : kDtypes)
      if (tensor.scalar_type() == dtype)
        header[name] = {{"dtype", dtype_name},
                        {"shape", tensor.sizes().vec()},
                        {"data_offsets", {offset, offset + tensor.nbytes()}}};
    if (!header.contains(name)) throw std::runtime_error("no safetensors dtype here for tensor " + name);
    offset += tensor.nbytes();
    stored.emplace(name, tensor);
  }
  const std::string text = header.dump();
  const uint64_t header_bytes = text.size();
  std::ofstream out(file, std::ios::binary);
  out.write(reinterpret_cast<const char*>(&header_bytes), sizeof(header_bytes));
  out << text;
  for (const auto& [name, tensor] : stored)
    out.write(static_cast<const char*>(tensor.data_ptr()), static_cast<std::streamsize>(tensor.nbytes()));
  if (!out.flush()) throw std::runtime_error("cannot write " + file.string());
}

}  // namespace fastvideo::testing
