// Files that tests make: a temporary folder, and safetensors files, valid or faulty, byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <fastvideo/core.hpp>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "tests/support/temporary_folder.hpp"

namespace fastvideo::test {

inline void write_file(const std::filesystem::path& file, std::string_view bytes) {
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << bytes;
}

/// The eight bytes of a header's length.
inline std::string length_prefix(uint64_t length) {
  std::string bytes;
  for (int i = 0; i < 8; ++i) bytes += static_cast<char>(length >> 8 * i & 0xFF);
  return bytes;
}

inline void write_safetensors(const std::filesystem::path& file, const std::string& header, std::string_view data) {
  write_file(file, length_prefix(header.size()) + header + std::string(data));
}

/// The message with which `call` is refused; a test failure if it is not refused or throws anything else.
template <class Call>
std::string refusal(Call&& call) {
  try {
    call();
  } catch (const Refused& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "not a Refused: " << error.what();
    return {};
  }
  ADD_FAILURE() << "not refused";
  return {};
}

}  // namespace fastvideo::test

/// Expects that a text contains a part, with both in the message.
#define EXPECT_CONTAINS(text, part) EXPECT_NE(std::string(text).find(part), std::string::npos) << (text)
