// The safetensors format (https://github.com/huggingface/safetensors#format): eight bytes of header length, a JSON
// header with dtype, shape and offsets of every tensor, then the data. Nothing in a file is trusted.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo {

/// One tensor of a file.
struct SafetensorsEntry {
  std::string dtype;           ///< as the file spells it: "F32", "BF16", "F8_E4M3"
  std::vector<int64_t> shape;  ///< empty for a scalar
  uint64_t begin = 0;          ///< byte offsets in the file
  uint64_t end = 0;
  uint64_t elements = 1;

  uint64_t bytes() const { return end - begin; }
};

/// The header of one file, checked: offsets lie in the file, tile the data without gap or overlap, and agree with dtype
/// and shape.
struct SafetensorsHeader {
  std::filesystem::path file;
  uint64_t file_bytes = 0;
  std::map<std::string, SafetensorsEntry, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
};

/// Reads the header alone. Throws Refused naming the file, the tensor and what is wrong.
SafetensorsHeader read_safetensors_header(const std::filesystem::path& file);

/// Bytes of one element, 0 for a dtype that the format does not know.
uint64_t safetensors_element_size(std::string_view dtype);

/// "[2, 3]".
std::string shape_text(const std::vector<int64_t>& shape);

/// A name from a file, in quotes and without control characters: fit for a message.
std::string quote_name(std::string_view name);

}  // namespace fastvideo
