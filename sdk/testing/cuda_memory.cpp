// Memory, a stream and events of the CUDA driver (CUDA Driver API reference, sections 6.7, 6.13, 6.18 and 6.19), opened
// at run time.
#include <dlfcn.h>

#include <algorithm>
#include <array>
#include <new>
#include <stdexcept>
#include <string>

#include "sdk/testing/device_memory.hpp"

namespace fastvideo::testing {
namespace {

// Of cuda.h: CUresult is an enum, CUdevice an int, CUdeviceptr an integer that is passed as a pointer is, the rest are
// handles.
using CuResult = int;
using CuDevice = int;
using CuAddress = void*;
using CuHandle = void*;
constexpr CuResult kSuccess = 0;
constexpr CuResult kErrorOutOfMemory = 2;
constexpr unsigned kStreamNonBlocking = 1;

// Bytes that are set before pieces are timed, so that the device is behind the host's launches. The fill also empties
// caches.
constexpr size_t kIdleBytes = size_t{256} << 20;
constexpr size_t kMostIdleCalls = 256;

struct Driver {
  CuResult (*init)(unsigned);
  CuResult (*count_devices)(int*);
  CuResult (*device_get)(CuDevice*, int);
  CuResult (*retain_context)(CuHandle*, CuDevice);
  CuResult (*release_context)(CuDevice);
  CuResult (*push_context)(CuHandle);
  CuResult (*pop_context)(CuHandle*);
  CuResult (*allocate)(CuAddress*, size_t);
  CuResult (*free)(CuAddress);
  CuResult (*upload)(CuAddress, const void*, size_t, CuHandle);
  CuResult (*download)(void*, const void*, size_t, CuHandle);
  CuResult (*fill)(CuAddress, unsigned char, size_t, CuHandle);
  CuResult (*make_stream)(CuHandle*, unsigned);
  CuResult (*destroy_stream)(CuHandle);
  CuResult (*wait)(CuHandle);
  CuResult (*make_event)(CuHandle*, unsigned);
  CuResult (*destroy_event)(CuHandle);
  CuResult (*record)(CuHandle, CuHandle);
  CuResult (*elapsed)(float*, CuHandle, CuHandle);
  CuResult (*error_name)(CuResult, const char**);
  CuResult (*error_text)(CuResult, const char**);

  Driver() {
    void* library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (library == nullptr) throw std::runtime_error("no CUDA driver (libcuda.so.1 is not there)");
    const auto find = [&](const char* name, auto*& function) {
      function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(dlsym(library, name));
      if (function == nullptr) throw std::runtime_error(std::string("the CUDA driver is too old: it lacks ") + name);
    };
    find("cuInit", init);
    find("cuDeviceGetCount", count_devices);
    find("cuDeviceGet", device_get);
    find("cuDevicePrimaryCtxRetain", retain_context);
    find("cuDevicePrimaryCtxRelease_v2", release_context);
    find("cuCtxPushCurrent_v2", push_context);
    find("cuCtxPopCurrent_v2", pop_context);
    find("cuMemAlloc_v2", allocate);
    find("cuMemFree_v2", free);
    find("cuMemcpyHtoDAsync_v2", upload);
    find("cuMemcpyDtoHAsync_v2", download);
    find("cuMemsetD8Async", fill);
    find("cuStreamCreate", make_stream);
    find("cuStreamDestroy_v2", destroy_stream);
    find("cuStreamSynchronize", wait);
    find("cuEventCreate", make_event);
    find("cuEventDestroy_v2", destroy_event);
    find("cuEventRecord", record);
    find("cuEventElapsedTime", elapsed);
    find("cuGetErrorName", error_name);
    find("cuGetErrorString", error_text);
    check(init(0), "starting CUDA");
  }

  int devices() const {
    int count = 0;
    check(count_devices(&count), "counting CUDA devices");
    return count;
  }

  void check(CuResult result, const std::string& doing) const {
    if (result == kSuccess) return;
    if (result == kErrorOutOfMemory) throw std::bad_alloc();
    const char *name = nullptr, *text = nullptr;
    error_name(result, &name);
    error_text(result, &text);
    throw std::runtime_error(doing + ": " + (text == nullptr ? "unknown error" : text) + " (" +
                             (name == nullptr ? "" : std::string(name) + ", ") + std::to_string(result) + ")");
  }
};

const Driver& driver() {
  static const Driver one;
  return one;
}

// Makes a context current and restores the previous context at the end.
class Current {
 public:
  explicit Current(CuHandle context) { driver().check(driver().push_context(context), "choosing a CUDA context"); }
  ~Current() {
    CuHandle former = nullptr;
    driver().pop_context(&former);
  }
  Current(const Current&) = delete;
  Current& operator=(const Current&) = delete;
};

class Event {
 public:
  Event() { driver().check(driver().make_event(&handle_, 0), "making a CUDA event"); }
  ~Event() { driver().destroy_event(handle_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  void record(CuHandle stream) { driver().check(driver().record(handle_, stream), "recording a CUDA event"); }
  double seconds_since(const Event& earlier) const {
    float milliseconds = 0;
    driver().check(driver().elapsed(&milliseconds, earlier.handle_, handle_), "reading CUDA events");
    return milliseconds / 1e3;
  }

 private:
  CuHandle handle_ = nullptr;
};

class PrimaryContext {
 public:
  explicit PrimaryContext(int index) {
    driver().check(driver().device_get(&device_, index), "opening cuda:" + std::to_string(index));
    driver().check(driver().retain_context(&handle_, device_), "opening cuda:" + std::to_string(index));
  }
  ~PrimaryContext() { driver().release_context(device_); }
  PrimaryContext(const PrimaryContext&) = delete;
  PrimaryContext& operator=(const PrimaryContext&) = delete;
  CuHandle get() const { return handle_; }

 private:
  CuDevice device_ = 0;
  CuHandle handle_ = nullptr;
};

class CudaMemory final : public DeviceMemory {
 public:
  explicit CudaMemory(int index) : context_(index) {
    const Current current(context_.get());
    driver().check(driver().make_stream(&stream_, kStreamNonBlocking), "making a CUDA stream");
  }
  ~CudaMemory() override {
    const Current current(context_.get());
    driver().wait(stream_);
    for (const CuAddress block : blocks_) driver().free(block);
    driver().destroy_stream(stream_);
  }
  CudaMemory(const CudaMemory&) = delete;
  CudaMemory& operator=(const CudaMemory&) = delete;

  void* allocate(size_t bytes) override {
    const Current current(context_.get());
    blocks_.reserve(blocks_.size() + 1);
    CuAddress block = nullptr;
    // The driver allocates nothing for 0 bytes, and aligns to 256 bytes.
    driver().check(driver().allocate(&block, std::max<size_t>(bytes, 1)),
                   "allocating " + std::to_string(bytes) + " bytes of CUDA memory");
    blocks_.push_back(block);
    return block;
  }

  void upload(void* to, std::span<const uint8_t> from) override {
    const Current current(context_.get());
    driver().check(driver().upload(to, from.data(), from.size(), stream_), "copying to the device");
    wait();
  }

  void download(std::span<uint8_t> to, const void* from) override {
    const Current current(context_.get());
    driver().check(driver().download(to.data(), from, to.size(), stream_), "copying from the device");
    wait();
  }

  void poison(void* first, size_t bytes) override {
    const Current current(context_.get());
    if (bytes > 0) driver().check(driver().fill(first, 0xFF, bytes, stream_), "setting memory of the device");
  }

  void* stream() override { return stream_; }

  void on_device(const std::function<void()>& work) override {
    const Current current(context_.get());
    work();
  }

  std::vector<double> time(size_t count, const Numbered& prepare, const Numbered& work) override {
    const Current current(context_.get());
    std::vector<std::array<Event, 2>> events(count);
    wait();
    fall_behind(count);
    try {
      for (size_t i = 0; i < count; ++i) {
        prepare(i);
        events[i][0].record(stream_);
        work(i);
        events[i][1].record(stream_);
      }
    } catch (...) {
      driver().wait(stream_);  // enqueued work may use memory that the caller is about to free
      throw;
    }
    wait();
    std::vector<double> seconds;
    seconds.reserve(count);
    for (const auto& [began, ended] : events) seconds.push_back(ended.seconds_since(began));
    return seconds;
  }

 private:
  void wait() { driver().check(driver().wait(stream_), "waiting for the device"); }

  // The time between two events includes waits of the device for the host's launches: so the device first gets work
  // that takes longer to run than to launch.
  void fall_behind(size_t count) {
    if (idle_ == nullptr) idle_ = allocate(kIdleBytes);
    for (size_t i = 0; i < std::min(count, kMostIdleCalls); ++i) poison(idle_, kIdleBytes);
  }

  PrimaryContext context_;
  CuHandle stream_ = nullptr;
  std::vector<CuAddress> blocks_;
  void* idle_ = nullptr;
};

}  // namespace

std::unique_ptr<DeviceMemory> make_cuda_memory(int index) {
  const std::string none = "no device cuda:" + std::to_string(index) + ": ";
  int devices = 0;
  try {
    devices = driver().devices();
  } catch (const std::runtime_error& e) {
    throw std::runtime_error(none + e.what());
  }
  if (devices == 0) throw std::runtime_error(none + "the CUDA driver sees no device");
  if (index < 0 || index >= devices)
    throw std::runtime_error(none + "the last one is cuda:" + std::to_string(devices - 1));
  return std::make_unique<CudaMemory>(index);
}

}  // namespace fastvideo::testing
