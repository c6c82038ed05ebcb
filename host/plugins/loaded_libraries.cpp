#include "host/plugins/loaded_libraries.hpp"

#include <link.h>

#include <memory>
#include <new>
#include <stdexcept>
#include <type_traits>
#include <utility>
#include <vector>

#define BOOST_DLL_USE_STD_FS
#include <boost/dll/shared_library.hpp>

namespace fastvideo::host {
namespace {

// What dlopen said, out of Boost's sentence around it.
std::string linker_words(const std::string& message) {
  constexpr std::string_view kOpening = "dlerror system message: ";
  const size_t begin = message.find(kOpening);
  const size_t end = message.rfind("): ");
  if (begin == std::string::npos || end == std::string::npos || end < begin + kOpening.size()) return message;
  return message.substr(begin + kOpening.size(), end - begin - kOpening.size());
}

}  // namespace

OpenLibrary::OpenLibrary(const std::filesystem::path& file) {
  // Never destroyed: a library that has run cannot be taken back (its threads, its thread-local destructors).
  static auto& libraries = *new std::vector<std::unique_ptr<boost::dll::shared_library>>;
  using Mode = boost::dll::load_mode::type;
  try {
    const auto mode = static_cast<Mode>(Mode::rtld_now | Mode::rtld_local);
    libraries.push_back(std::make_unique<boost::dll::shared_library>(file, mode));
  } catch (const std::bad_alloc&) {
    throw std::runtime_error("out of memory");
  } catch (const std::exception& e) {
    throw std::runtime_error(linker_words(e.what()));
  }
  library_ = libraries.back().get();
}

fv_plugin_entry OpenLibrary::entry() const {
  return &library_->get<std::remove_pointer_t<fv_plugin_entry>>("fastvideo_plugin");
}

std::optional<std::filesystem::path> loaded_library(const std::string& file_name) {
  std::pair<std::string, std::optional<std::filesystem::path>> search(file_name, std::nullopt);
  const auto visit = [](dl_phdr_info* info, size_t /*size*/, void* data) {
    auto& [name, found] = *static_cast<decltype(search)*>(data);
    if (const std::filesystem::path path(info->dlpi_name); path.filename() == name) found = path;
    return found ? 1 : 0;
  };
  dl_iterate_phdr(visit, &search);
  return search.second;
}

}  // namespace fastvideo::host
