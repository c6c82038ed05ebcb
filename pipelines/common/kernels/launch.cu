// Launchers: they check a call, pick how many threads share a row, and set the device.
#include <cuda_runtime_api.h>

#include <initializer_list>
#include <stdexcept>
#include <string>
#include <type_traits>

#include "pipelines/common/kernels/add_norm.cuh"
#include "pipelines/common/kernels/kernels.hpp"
#include "pipelines/common/kernels/rms_norm.cuh"

namespace fastvideo::kernels {
namespace {

constexpr int64_t kVectorBytes = 16;
constexpr int64_t kMaxBlocks = 0x7FFFFFFF;

void check(cudaError_t status, const char* operation) {
  if (status != cudaSuccess) throw std::runtime_error(std::string(operation) + ": " + cudaGetErrorString(status));
}

// Makes a device current while it lives.
class DeviceScope {
 public:
  explicit DeviceScope(int device) {
    check(cudaGetDevice(&previous_), "cudaGetDevice");
    if (previous_ == device) return;
    check(cudaSetDevice(device), "cudaSetDevice");
    changed_ = true;
  }
  ~DeviceScope() {
    if (changed_) cudaSetDevice(previous_);
  }
  DeviceScope(const DeviceScope&) = delete;
  DeviceScope& operator=(const DeviceScope&) = delete;

 private:
  int previous_ = 0;
  bool changed_ = false;
};

int64_t bytes_of(Element element) { return element == Element::float32 ? 4 : 2; }

std::string refuse_rows(Element element, int64_t rows, int64_t channels) {
  const int64_t bytes = channels * bytes_of(element);
  if (rows < 1 || rows > kMaxBlocks) return std::to_string(rows) + " rows; the kernels take 1 to 2^31 - 1";
  if (channels < 1 || bytes % kVectorBytes != 0)
    return "rows of " + std::to_string(bytes) + " bytes are no multiple of 16";
  if (bytes > kVectorBytes * kVectors * kMaxThreads)
    return "rows of " + std::to_string(bytes) + " bytes; the kernels take " +
           std::to_string(kVectorBytes * kVectors * kMaxThreads);
  return "";
}

bool aligned(std::initializer_list<const void*> pointers) {
  for (const void* pointer : pointers)
    if (reinterpret_cast<uintptr_t>(pointer) % kVectorBytes != 0) return false;
  return true;
}

constexpr const char* kUnaligned = "a pointer is not aligned to 16 bytes";

// Calls body(std::integral_constant<int, threads>) with the fewest threads, from kThreads on, that hold a row.
template <int kThreads, class Body>
void with_threads(int64_t row_vectors, const Body& body) {
  if constexpr (kThreads < kMaxThreads) {
    if (row_vectors > kThreads * kVectors) return with_threads<2 * kThreads>(row_vectors, body);
  }
  body(std::integral_constant<int, kThreads>{});
}

// Calls body(T{}) with the type of the elements.
template <class Body>
void with_element(Element element, const Body& body) {
  switch (element) {
    case Element::float32:
      return body(float{});
    case Element::float16:
      return body(__half{});
    case Element::bfloat16:
      return body(__nv_bfloat16{});
  }
}

template <int kThreads>
unsigned blocks_for(int64_t rows) {
  constexpr int64_t kRows = kBlockThreads<kThreads> / kThreads;
  return static_cast<unsigned>((rows + kRows - 1) / kRows);
}

template <class Call>
void require_none(const Call& call) {
  const std::string reason = refusal(call);
  if (!reason.empty()) throw std::invalid_argument("a kernel was launched that refuses the call: " + reason);
}

}  // namespace

bool built() { return true; }

bool runs_on(int device) {
  int major = 0;
  return cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device) == cudaSuccess && major >= 8;
}

std::string refusal(const AddNorm& call) {
  if (call.batch < 1 || call.tokens < 1) return "no rows";
  if (const std::string rows = refuse_rows(call.element, call.batch * call.tokens, call.channels); !rows.empty())
    return rows;
  if (!aligned({call.x, call.y, call.sum, call.out, call.gate, call.scale, call.shift})) return kUnaligned;
  for (const int64_t stride : {call.gate_stride, call.scale_stride, call.shift_stride})
    if (stride * 4 % kVectorBytes != 0) return "a stride of parameters is no multiple of 16 bytes";
  return "";
}

std::string refusal(const RmsNorm& call) {
  if (const std::string rows = refuse_rows(call.element, call.rows, call.channels); !rows.empty()) return rows;
  if (call.weight_element != call.element && call.weight_element != Element::float32)
    return "weights are of the elements' type or float32";
  if (call.cos != nullptr) {
    if (call.head_size * bytes_of(call.element) % kVectorBytes != 0)
      return "heads of " + std::to_string(call.head_size) + " channels are no multiple of 16 bytes";
    if (call.tokens < 1 || call.rows % call.tokens != 0 || call.channels % call.head_size != 0)
      return "a rotary table of another shape";
  }
  return aligned({call.x, call.out, call.weight, call.cos, call.sin}) ? "" : kUnaligned;
}

void launch(const AddNorm& call, int device, void* stream) {
  require_none(call);
  const DeviceScope scope(device);
  with_element(call.element, [&](auto zero) {
    using T = decltype(zero);
    with_threads<32>(call.channels / kWidth<T>, [&](auto threads) {
      constexpr int kThreads = decltype(threads)::value;
      add_norm<T, kThreads><<<blocks_for<kThreads>(call.batch * call.tokens), kBlockThreads<kThreads>, 0,
                              static_cast<cudaStream_t>(stream)>>>(call);
    });
  });
  check(cudaGetLastError(), "launch of add_norm");
}

void launch(const RmsNorm& call, int device, void* stream) {
  require_none(call);
  const DeviceScope scope(device);
  with_element(call.element, [&](auto zero) {
    using T = decltype(zero);
    with_threads<4>(call.channels / kWidth<T>, [&](auto threads) {
      constexpr int kThreads = decltype(threads)::value;
      rms_norm<T, kThreads>
          <<<blocks_for<kThreads>(call.rows), kBlockThreads<kThreads>, 0, static_cast<cudaStream_t>(stream)>>>(call);
    });
  });
  check(cudaGetLastError(), "launch of rms_norm");
}

}  // namespace fastvideo::kernels
