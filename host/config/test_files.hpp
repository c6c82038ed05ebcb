// For tests: a folder that goes away again, and the text of a refusal.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "host/error/error.hpp"
#include "tests/support/temporary_folder.hpp"

namespace fastvideo::host::test {

using namespace fastvideo::test;  // tests/support

/// The text of the RequestError that `body` throws; "(accepted)" if it throws none.
template <class Body>
std::string refusal(Body&& body) {
  try {
    body();
  } catch (const RequestError& e) {
    return e.what();
  }
  return "(accepted)";
}

inline ::testing::AssertionResult contains(const std::string& text, const std::string& part) {
  if (text.find(part) != std::string::npos) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "no '" << part << "' in: " << text;
}

}  // namespace fastvideo::host::test
