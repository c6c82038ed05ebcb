#include "host/media/png_image.hpp"

#include <png.h>

#include <stdexcept>
#include <string>

namespace fastvideo::host {

std::vector<uint8_t> encode_png(int width, int height, std::span<const uint8_t> pixels) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(width);
  image.height = static_cast<png_uint_32>(height);
  image.format = PNG_FORMAT_RGB;
  // A quarter of the time for two to three times the bytes: frames are read again soon.
  image.flags = PNG_IMAGE_FLAG_FAST;
  std::vector<uint8_t> file(PNG_IMAGE_PNG_SIZE_MAX(image));
  png_alloc_size_t size = file.size();
  if (png_image_write_to_memory(&image, file.data(), &size, 0, pixels.data(), 0, nullptr) == 0)
    throw std::runtime_error("cannot make a PNG of a frame: " + std::string(image.message));
  file.resize(size);
  return file;
}

}  // namespace fastvideo::host
