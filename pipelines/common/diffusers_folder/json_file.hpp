// A JSON configuration file, read key by key. Every complaint names the file, the key and its value.
#pragma once

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace fastvideo {

/// One JSON object in a file. An absent key has the default that the caller gives; null is a value that only
/// is_null_or_absent accepts.
class JsonFile {
 public:
  /// Throws Refused if the file is missing, is not JSON, or holds no object.
  explicit JsonFile(const std::filesystem::path& file);

  bool has(std::string_view key) const { return document_.contains(key); }
  bool is_null_or_absent(std::string_view key) const;
  /// Absent or null: an empty JSON null.
  nlohmann::json value(std::string_view key) const;

  /// Between minimum and maximum.
  int64_t integer(std::string_view key, int64_t absent, int64_t minimum = 1, int64_t maximum = 1 << 24) const;
  double number(std::string_view key, double absent) const;
  /// Above 0.
  double positive(std::string_view key, double absent) const;
  bool boolean(std::string_view key, bool absent) const;
  std::string string(std::string_view key, std::string absent) const;
  std::vector<int64_t> integers(std::string_view key, std::vector<int64_t> absent, int64_t minimum,
                                int64_t maximum = 1 << 24) const;
  std::vector<double> numbers(std::string_view key, std::vector<double> absent) const;
  std::vector<bool> booleans(std::string_view key, std::vector<bool> absent) const;

  /// Refuses unless the key is absent, null or false.
  void require_unset(std::string_view key, std::string_view why) const;
  /// Refuses unless the key, absent taken as given, is one of these texts.
  void require_one_of(std::string_view key, std::string_view absent, std::initializer_list<std::string_view> allowed,
                      std::string_view why) const;

  /// Refuses a component whose weights are quantised.
  void require_not_quantised() const;

  [[noreturn]] void refuse(std::string_view what) const;
  /// "FILE: KEY is VALUE: WHY".
  [[noreturn]] void refuse(std::string_view key, std::string_view why) const;

 private:
  std::filesystem::path file_;
  nlohmann::json document_;
};

}  // namespace fastvideo
