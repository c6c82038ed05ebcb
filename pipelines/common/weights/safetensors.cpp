#include "pipelines/common/weights/safetensors.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fastvideo/core.hpp>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

namespace fastvideo {
namespace {

using nlohmann::json;

// The limit of the reference implementation; the header of a 14B model is 0.2 MB.
constexpr uint64_t max_header_bytes = 100'000'000;
constexpr uint64_t length_bytes = 8;

/// Collects what is needed to refuse with the file's name in front.
class HeaderReader {
 public:
  explicit HeaderReader(const std::filesystem::path& file) : file_(file) { header_.file = file; }

  SafetensorsHeader read() {
    const json document = parse(header_text());
    for (const auto& [name, value] : document.items()) {
      if (name == "__metadata__")
        read_metadata(value);
      else
        header_.tensors.emplace(name, entry(name, value));
    }
    check_tiling();
    return std::move(header_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { throw Refused(file_.string() + ": " + what); }
  [[noreturn]] void refuse(const std::string& tensor, const std::string& what) const {
    refuse("tensor " + quote_name(tensor) + ": " + what);
  }

  std::string header_text() {
    std::error_code error;
    if (!std::filesystem::is_regular_file(file_, error)) refuse("no such file");
    header_.file_bytes = std::filesystem::file_size(file_, error);
    if (error) refuse(error.message());
    std::ifstream stream(file_, std::ios::binary);
    if (!stream) refuse(std::string("cannot be opened: ") + std::strerror(errno));
    if (header_.file_bytes < length_bytes)
      refuse("not a safetensors file: " + std::to_string(header_.file_bytes) + " bytes, and the header's length is 8");
    std::array<unsigned char, length_bytes> prefix{};
    stream.read(reinterpret_cast<char*>(prefix.data()), length_bytes);
    uint64_t length = 0;
    for (size_t i = length_bytes; i-- > 0;) length = length << 8 | prefix[i];
    if (length > max_header_bytes)
      refuse("not a safetensors file: a header of " + std::to_string(length) + " bytes, more than the format's " +
             std::to_string(max_header_bytes));
    if (length > header_.file_bytes - length_bytes)
      refuse("truncated: a header of " + std::to_string(length) + " bytes in a file of " +
             std::to_string(header_.file_bytes));
    std::string text(length, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(length));
    if (!stream) refuse("cannot be read");
    data_begin_ = length_bytes + length;
    return text;
  }

  json parse(const std::string& text) {
    if (text.empty() || text.front() != '{') refuse("not a safetensors file: the header does not begin with '{'");
    // A duplicate key would silently win over the first one.
    std::set<std::string> names;
    const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
      if (event == json::parse_event_t::key && depth == 1 && !names.insert(parsed.get<std::string>()).second)
        refuse(parsed.get<std::string>(), "named twice in the header");
      return true;
    };
    try {
      return json::parse(text, watch);
    } catch (const json::exception& error) {
      refuse(std::string("the header is not JSON: ") + error.what());
    }
  }

  void read_metadata(const json& value) {
    if (!value.is_object()) refuse("__metadata__ is not an object");
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) refuse("__metadata__ " + quote_name(key) + " is not a string");
      header_.metadata.emplace(key, text.get<std::string>());
    }
  }

  SafetensorsEntry entry(const std::string& name, const json& value) const {
    if (!value.is_object() || !value.contains("dtype") || !value.contains("shape") || !value.contains("data_offsets"))
      refuse(name, "not an object with dtype, shape and data_offsets");
    SafetensorsEntry entry;
    const json& dtype = value["dtype"];
    const uint64_t element_size = dtype.is_string() ? safetensors_element_size(dtype.get_ref<const std::string&>()) : 0;
    if (element_size == 0) refuse(name, "dtype " + dtype.dump() + " is not one that this reader knows");
    entry.dtype = dtype.get<std::string>();

    const json& shape = value["shape"];
    if (!shape.is_array()) refuse(name, "shape " + shape.dump() + " is not a list");
    constexpr auto max_elements = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    bool too_large = false;
    for (const json& size : shape) {
      if (!size.is_number_unsigned()) refuse(name, "shape " + shape.dump() + " holds something that is not a size");
      const auto extent = size.get<uint64_t>();
      too_large |= extent > max_elements / element_size;
      if (!too_large && extent != 0 && entry.elements > max_elements / element_size / extent) too_large = true;
      if (too_large) refuse(name, "shape " + shape.dump() + " has more elements than any file");
      entry.elements *= extent;
      entry.shape.push_back(static_cast<int64_t>(extent));
    }

    const json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      refuse(name, "data_offsets " + offsets.dump() + " are not two offsets");
    const auto begin = offsets[0].get<uint64_t>();
    const auto end = offsets[1].get<uint64_t>();
    const uint64_t data_bytes = header_.file_bytes - data_begin_;
    if (begin > end) refuse(name, "data_offsets " + offsets.dump() + " run backwards");
    if (end > data_bytes)
      refuse(name, "data_offsets " + offsets.dump() + " reach past the end of the data, which is " +
                       std::to_string(data_bytes) + " bytes: the file is truncated");
    if (end - begin != entry.elements * element_size)
      refuse(name, "data_offsets " + offsets.dump() + " hold " + std::to_string(end - begin) + " bytes, and " +
                       shape_text(entry.shape) + " of " + entry.dtype + " needs " +
                       std::to_string(entry.elements * element_size));
    entry.begin = data_begin_ + begin;
    entry.end = data_begin_ + end;
    return entry;
  }

  void check_tiling() const {
    std::vector<std::pair<const std::string*, const SafetensorsEntry*>> order;
    for (const auto& [name, entry] : header_.tensors) order.emplace_back(&name, &entry);
    std::sort(order.begin(), order.end(), [](const auto& a, const auto& b) {
      return std::pair(a.second->begin, a.second->end) < std::pair(b.second->begin, b.second->end);
    });
    uint64_t end = data_begin_;
    const std::string* previous = nullptr;
    for (const auto& [name, entry] : order) {
      if (entry->begin < end) refuse(*name, "overlaps tensor " + quote_name(*previous));
      if (entry->begin > end)
        refuse(*name, std::to_string(entry->begin - end) + " bytes before it belong to no tensor");
      end = entry->end;
      previous = name;
    }
    if (end != header_.file_bytes)
      refuse(std::to_string(header_.file_bytes - end) + " bytes at the end belong to no tensor");
  }

  const std::filesystem::path& file_;
  SafetensorsHeader header_;
  uint64_t data_begin_ = 0;
};

}  // namespace

SafetensorsHeader read_safetensors_header(const std::filesystem::path& file) { return HeaderReader(file).read(); }

uint64_t safetensors_element_size(std::string_view dtype) {
  static constexpr std::array<std::pair<std::string_view, uint64_t>, 17> sizes{{
      {"BOOL", 1},
      {"U8", 1},
      {"I8", 1},
      {"F8_E5M2", 1},
      {"F8_E4M3", 1},
      {"F8_E8M0", 1},
      {"U16", 2},
      {"I16", 2},
      {"F16", 2},
      {"BF16", 2},
      {"U32", 4},
      {"I32", 4},
      {"F32", 4},
      {"U64", 8},
      {"I64", 8},
      {"F64", 8},
      {"C64", 8},
  }};
  for (const auto& [name, size] : sizes)
    if (name == dtype) return size;
  return 0;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string quote_name(std::string_view name) {
  constexpr size_t longest = 200;
  std::string text = "'";
  for (const char c : name.substr(0, longest)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text + (name.size() > longest ? "...'" : "'");
}

}  // namespace fastvideo
