// fastvideo/plugin.hpp - everything a plugin in C++ needs: include this and end the file with one registration line.
//
//   FASTVIDEO_PLUGIN(fastvideo::attention<Mine>("MINE", "cpu"))
//
// The macro's arguments are the library's items. The plugin's id and version are typed in plugin.toml alone:
// fastvideo_add_plugin() of the SDK's CMake package reads them there. Other build systems define them before this
// header is included: -DFASTVIDEO_PLUGIN_ID='"com.example.mine"' -DFASTVIDEO_PLUGIN_VERSION='"1.0.0"'.
#pragma once

#include <vector>

#include "fastvideo/attention.hpp"
#include "fastvideo/cache.hpp"
#include "fastvideo/calibration.hpp"
#include "fastvideo/pipeline.hpp"
#include "fastvideo/tensor_view.hpp"

namespace fastvideo::detail {

/// The struct behind a plugin's entry symbol, made once.
class Registration {
 public:
  template <size_t N>
  Registration(const char* id, const char* version, const fv_item (&items)[N]) {
    for (const fv_item& item : items) items_.push_back(&item);
    plugin_ = {sizeof(fv_plugin), FV_ABI_MAJOR, FV_ABI_MINOR, id, version, static_cast<uint32_t>(N), 0, items_.data()};
  }
  const fv_plugin* get() const { return &plugin_; }

 private:
  std::vector<const fv_item*> items_;
  fv_plugin plugin_{};
};

}  // namespace fastvideo::detail

/// Defines the one symbol that a plugin library exports. A macro because a symbol cannot come out of a function.
#if defined(FASTVIDEO_PLUGIN_ID) && defined(FASTVIDEO_PLUGIN_VERSION)
#define FASTVIDEO_PLUGIN(...)                                                                                          \
  extern "C" const fv_plugin* fastvideo_plugin(const fv_services* /*host*/, fv_text* error) {                          \
    const fv_plugin* plugin = nullptr;                                                                                 \
    fastvideo::guard(error, [&] {                                                                                      \
      static const fv_item items[] = {__VA_ARGS__};                                                                    \
      static const fastvideo::detail::Registration registration(FASTVIDEO_PLUGIN_ID, FASTVIDEO_PLUGIN_VERSION, items); \
      plugin = registration.get();                                                                                     \
    });                                                                                                                \
    return plugin;                                                                                                     \
  }
#else
#define FASTVIDEO_PLUGIN(...)                                                                                     \
  static_assert(                                                                                                  \
      false,                                                                                                      \
      "FASTVIDEO_PLUGIN needs the id and version of plugin.toml: build with fastvideo_add_plugin(), which reads " \
      "them, or define both as strings: -DFASTVIDEO_PLUGIN_ID='\"com.example.mine\"' "                            \
      "-DFASTVIDEO_PLUGIN_VERSION='\"1.0.0\"'");
#endif
