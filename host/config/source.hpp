// Where a setting came from.
#pragma once

#include <cstdint>
#include <string>

namespace fastvideo::host {

/// Where a value came from. Later kinds outrank earlier ones.
struct Source {
  enum class Kind { built_in, preset, file, environment, embedder, command_line };

  Kind kind = Kind::built_in;
  std::string name;  ///< of the preset, path of the file, name of the variable, what the embedder calls it, or the flag
  uint32_t line = 0;    ///< of a file, from 1
  uint32_t column = 0;  ///< of a file, from 1

  /// "default", "preset 480p", "fastvideo.toml:3:1" (with the whole path), "FASTVIDEO_ATTENTION_BACKEND" or
  /// "--attention-backend"
  std::string describe() const {
    if (kind == Kind::built_in) return "default";
    if (kind == Kind::preset) return "preset " + name;
    return kind == Kind::file ? name + ":" + std::to_string(line) + ":" + std::to_string(column) : name;
  }

  static Source built_in() { return {}; }
  static Source preset(std::string name) { return {Kind::preset, std::move(name), 0, 0}; }
  static Source environment(std::string variable) { return {Kind::environment, std::move(variable), 0, 0}; }
  /// Of a program that embeds the runtime: for all its requests. What one request says ranks as the command line.
  static Source embedder(std::string name) { return {Kind::embedder, std::move(name), 0, 0}; }
  static Source command_line(std::string flag) { return {Kind::command_line, std::move(flag), 0, 0}; }
};

}  // namespace fastvideo::host
