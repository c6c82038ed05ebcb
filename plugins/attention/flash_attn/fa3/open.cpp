#include "plugins/attention/flash_attn/fa3/open.hpp"

#include <ATen/Context.h>
#include <dlfcn.h>

#include <stdexcept>
#include <string>

namespace fastvideo::fa3 {
namespace {

namespace fs = std::filesystem;

// The folder of the library that holds an address.
fs::path folder_of(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  std::error_code failure;
  return fs::absolute(info.dli_fname, failure).parent_path();
}

// The dynamic linker's message, empty if the library is open now. Every symbol is resolved: symbols that a build for
// another LibTorch lacks are reported here and do not end the process in the first call.
std::string try_to_open(const fs::path& library, int visibility) {
  if (dlopen(library.c_str(), RTLD_NOW | visibility) != nullptr) return {};
  const char* words = dlerror();
  return words != nullptr ? words : "unknown error";
}

bool lacks_python(const std::string& words) { return words.find("undefined symbol: Py") != std::string::npos; }

// Extension modules are linked with libtorch.so, an empty library that needs the real ones.
void open_torch_names() {
  void* cuda = dlopen("libtorch_cuda.so", RTLD_LAZY | RTLD_NOLOAD);
  if (cuda == nullptr) return;  // on a CPU run opening the library would open CUDA's libraries
  dlclose(cuda);
  try_to_open(folder_of(reinterpret_cast<const void*>(&at::globalContext)) / "libtorch.so", RTLD_LOCAL);
}

std::string advice(const std::string& words) {
  if (lacks_python(words) || words.find("libtorch_python") != std::string::npos ||
      words.find("libpython") != std::string::npos)
    return "; it needs Python itself, which this program does not have: install a wheel whose library is called "
           "_C.abi3.so";
  if (words.find("undefined symbol") != std::string::npos)
    return "; it was built for another LibTorch: install the wheel for the one in [libraries] path";
  if (words.find("libcudart") != std::string::npos)
    return "; it was built for another CUDA: install the wheel for the CUDA of the LibTorch in [libraries] path";
  return "";
}

}  // namespace

void open_operators(const fs::path& library, const std::function<bool()>& registered) {
  static fs::path opened;
  if (registered()) {
    std::error_code failure;
    if (!opened.empty() && fs::equivalent(opened, library, failure)) return;
    throw std::runtime_error(library.string() + ": its operators are registered already, by " +
                             (opened.empty() ? std::string("another plugin") : opened.string()) +
                             "; a process takes one FlashAttention-3");
  }
  open_torch_names();
  std::string words = try_to_open(library, RTLD_LOCAL);
  // The extension's initialiser for Python refers to functions of Python and is never called here: a library of this
  // project defines the names.
  if (lacks_python(words)) {
    const fs::path names = folder_of(reinterpret_cast<const void*>(&open_operators)) / "libflash_attn_python_names.so";
    const std::string missing = try_to_open(names, RTLD_GLOBAL);
    words = missing.empty() ? try_to_open(library, RTLD_LOCAL) : missing;
  }
  if (!words.empty()) throw std::runtime_error(library.string() + ": cannot be opened: " + words + advice(words));
  opened = library;
  if (!registered())
    throw std::runtime_error(library.string() +
                             ": registers no operator flash_attn_3::fwd; is it FlashAttention-3's, of 2025 or later?");
}

}  // namespace fastvideo::fa3
