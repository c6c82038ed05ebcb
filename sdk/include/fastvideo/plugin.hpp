// fastvideo/plugin.hpp - everything a plugin in C++ needs: include this and end the file with one registration line.
//
//   FASTVIDEO_PLUGIN("com.example.mine", "1.0.0", fastvideo::attention<Mine>("MINE", "cpu"))
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
#define FASTVIDEO_PLUGIN(id, version, ...)                                                    \
  extern "C" const fv_plugin* fastvideo_plugin(const fv_services* /*host*/, fv_text* error) { \
    const fv_plugin* plugin = nullptr;                                                        \
    fastvideo::guard(error, [&] {                                                             \
      static const fv_item items[] = {__VA_ARGS__};                                           \
      static const fastvideo::detail::Registration registration(id, version, items);          \
      plugin = registration.get();                                                            \
    });                                                                                       \
    return plugin;                                                                            \
  }
