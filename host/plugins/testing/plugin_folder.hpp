// For tests: plugin folders with manifests of one's own.
#pragma once

#include <string>

#include "host/config/test_files.hpp"

namespace fastvideo::host::test {

/// The head of a manifest.
inline std::string manifest_head(const std::string& id = "org.example.fake") {
  return "manifest = 1\nid = \"" + id + "\"\nversion = \"1.0.0\"\nabi = \"0.1\"\n";
}

/// An [[item]] of six lines; what is appended belongs to it.
inline std::string manifest_item(const std::string& kind = "attention", const std::string& name = "FAKE",
                                 const std::string& implementation = "cpu", const std::string& library = "libfake.so") {
  return "\n[[item]]\nkind = \"" + kind + "\"\nname = \"" + name + "\"\nimplementation = \"" + implementation +
         "\"\nlibrary = \"" + library + "\"\n";
}

}  // namespace fastvideo::host::test
