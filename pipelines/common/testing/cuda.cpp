#include "pipelines/common/testing/cuda.hpp"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <filesystem>

namespace fastvideo::testing {

bool cuda_is_here() {
  static const bool here = [] {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&at::globalContext), &info) == 0) return false;
    const auto library = std::filesystem::canonical(info.dli_fname).parent_path() / "libtorch_cuda.so";
    return dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr && at::hasCUDA();
  }();
  return here;
}

}  // namespace fastvideo::testing
