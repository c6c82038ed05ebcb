#include "pipelines/common/weights/safetensors.hpp"

#include <algorithm>
#include <array>
#include <fastvideo/input_file.hpp>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

namespace fastvideo {
namespace {

using nlohmann::json;

// The limit of the reference implementation; the header of a 14B model is 0.2 MB.
constexpr uint64_t kMaxHeaderBytes = 100'000'000;
constexpr uint64_t kLengthBytes = 8;

/// Gives the members of a JSON object one by one, so that a header of 500,000 tensors is never a tree as a whole.
class MemberReader final : public nlohmann::json_sax<json> {
 public:
  using Take = std::function<void(const std::string& name, const json& value)>;
  /// `text` is the JSON text, borrowed; `name` is the file's name in messages.
  MemberReader(const std::string& text, std::string name, Take take)
      : text_(text), text_name_(std::move(name)), take_(std::move(take)) {}

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& text) override { return add(std::move(text)); }
  bool binary(binary_t&) override { return false; }  // JSON has no binary values
  bool start_object(size_t) override { return open(json::object()); }
  bool start_array(size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (!open_.empty() && open_.back().value.contains(name))
      throw Refused(text_name_ + ": " + quote_name(name) + " comes twice under " + quote_name(name_));
    (open_.empty() ? name_ : open_.back().key) = std::move(name);
    return true;
  }
  bool parse_error(size_t, const std::string&, const json::exception& problem) override {
    throw Refused(json_fault(text_, text_name_, problem));
  }

 private:
  struct Open {
    json value;
    std::string key;
  };

  bool add(json value) {
    if (open_.empty())
      take_(name_, value);
    else if (open_.back().value.is_object())
      open_.back().value[open_.back().key] = std::move(value);
    else
      open_.back().value.push_back(std::move(value));
    return true;
  }
  bool open(json empty) {
    if (is_inside_)
      open_.push_back({std::move(empty), {}});
    else
      is_inside_ = true;  // the object whose members are given
    return true;
  }
  bool close() {
    if (open_.empty()) return true;
    json closed = std::move(open_.back().value);
    open_.pop_back();
    return add(std::move(closed));
  }

  const std::string& text_;
  std::string text_name_;
  Take take_;
  bool is_inside_ = false;
  std::string name_;
  std::vector<Open> open_;
};

/// Refuses a header with the file's name in front.
class HeaderReader {
 public:
  explicit HeaderReader(const std::filesystem::path& file) : file_(file) { header_.file = file; }

  SafetensorsHeader read() {
    parse(header_text());
    check_tiling();
    return std::move(header_);
  }

 private:
  [[noreturn]] void refuse(const std::string& what) const { throw Refused(file_.string() + ": " + what); }
  [[noreturn]] void refuse(const std::string& tensor, const std::string& what) const {
    refuse("tensor " + quote_name(tensor) + ": " + what);
  }

  std::string header_text() {
    std::error_code none;
    if (std::filesystem::symlink_status(file_, none).type() == std::filesystem::file_type::not_found)
      refuse("no such file");
    const InputFile file(file_.string());
    header_.file_bytes = file.bytes();
    if (header_.file_bytes < kLengthBytes)
      refuse("not a safetensors file: " + std::to_string(header_.file_bytes) + " bytes, and the header's length is 8");
    std::array<unsigned char, kLengthBytes> prefix{};
    file.read(prefix.data(), kLengthBytes, 0);
    uint64_t length = 0;
    for (size_t i = kLengthBytes; i-- > 0;) length = length << 8 | prefix[i];
    if (length > kMaxHeaderBytes)
      refuse("not a safetensors file: a header of " + std::to_string(length) + " bytes, more than the format's " +
             std::to_string(kMaxHeaderBytes));
    if (length > header_.file_bytes - kLengthBytes)
      refuse("truncated: a header of " + std::to_string(length) + " bytes in a file of " +
             std::to_string(header_.file_bytes));
    std::string text(length, '\0');
    file.read(text.data(), length, kLengthBytes);
    data_begin_ = kLengthBytes + length;
    return text;
  }

  void parse(const std::string& text) {
    if (text.empty() || text.front() != '{') refuse("not a safetensors file: the header does not begin with '{'");
    const std::string text_name = file_.string() + ": the header";
    require_shallow_json(text, text_name);
    bool has_metadata = false;
    MemberReader reader(text, text_name, [&](const std::string& name, const json& value) {
      const bool is_metadata = name == "__metadata__";
      // A name that comes again would silently replace the first tensor.
      if (is_metadata ? has_metadata : header_.tensors.contains(name)) refuse(name, "named twice in the header");
      if (is_metadata) {
        read_metadata(value);
        has_metadata = true;
      } else {
        header_.tensors.emplace(name, entry(name, value));
      }
    });
    json::sax_parse(text, &reader);
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
    if (element_size == 0) refuse(name, "dtype " + quoted_reason(dtype.dump()) + " is not one that this reader knows");
    entry.dtype = dtype.get<std::string>();

    const json& shape = value["shape"];
    if (!shape.is_array()) refuse(name, "shape " + quoted_reason(shape.dump()) + " is not a list");
    constexpr auto kMaxElements = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    bool too_large = false;
    for (const json& size : shape) {
      if (!size.is_number_unsigned())
        refuse(name, "shape " + quoted_reason(shape.dump()) + " holds something that is not a size");
      const auto extent = size.get<uint64_t>();
      too_large |= extent > kMaxElements / element_size;
      if (!too_large && extent != 0 && entry.elements > kMaxElements / element_size / extent) too_large = true;
      if (too_large) refuse(name, "shape " + quoted_reason(shape.dump()) + " has more elements than any file");
      entry.elements *= extent;
      entry.shape.push_back(static_cast<int64_t>(extent));
    }

    const json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned())
      refuse(name, "data_offsets " + quoted_reason(offsets.dump()) + " are not two offsets");
    const auto begin = offsets[0].get<uint64_t>();
    const auto end = offsets[1].get<uint64_t>();
    const uint64_t data_bytes = header_.file_bytes - data_begin_;
    if (begin > end) refuse(name, "data_offsets " + quoted_reason(offsets.dump()) + " run backwards");
    if (end > data_bytes)
      refuse(name, "data_offsets " + quoted_reason(offsets.dump()) + " reach past the end of the data, which is " +
                       std::to_string(data_bytes) + " bytes: the file is truncated");
    if (end - begin != entry.elements * element_size)
      refuse(name, "data_offsets " + quoted_reason(offsets.dump()) + " hold " + std::to_string(end - begin) +
                       " bytes, and " + shape_text(entry.shape) + " of " + entry.dtype + " needs " +
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
  static constexpr std::array<std::pair<std::string_view, uint64_t>, 17> kSizes{{
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
  for (const auto& [name, size] : kSizes)
    if (name == dtype) return size;
  return 0;
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string text = "[";
  for (size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
  return text + "]";
}

std::string quote_name(std::string_view name) {
  constexpr size_t kLongest = 200;
  std::string text = "'";
  for (const char c : name.substr(0, kLongest)) text += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? '?' : c;
  return text + (name.size() > kLongest ? "...' (" + std::to_string(name.size()) + " bytes)" : "'");
}

}  // namespace fastvideo
