// Shared code of the programs that check a Hopper backend on a device, without any framework.
#pragma once

#include <cuda_runtime_api.h>

#include <cstdio>
#include <stdexcept>
#include <string>

namespace fastvideo {

constexpr int kNoDevice = 77;  ///< exit code: no GPU that can run it

inline int failures = 0;

inline void expect(bool condition, const std::string& what) {
  if (condition) return;
  ++failures;
  std::printf("FAILED %s\n", what.c_str());
}

/// Throws std::runtime_error with CUDA's message, unless there is no error.
inline void check(cudaError_t status, const std::string& doing) {
  if (status != cudaSuccess) throw std::runtime_error(doing + ": " + cudaGetErrorString(status));
}

inline bool has_hopper() {
  int major = 0, minor = 0;
  return cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, 0) == cudaSuccess &&
         cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, 0) == cudaSuccess && major == 9 &&
         minor == 0;
}

/// Copies to the device, or fills with 0xFF, NaN as a float of any size. Both wait for completion: work on streams that
/// do not wait for the default stream could run first.
inline void upload(void* to, const void* from, size_t bytes) {
  check(cudaMemcpy(to, from, bytes, cudaMemcpyHostToDevice), "uploading");
  check(cudaDeviceSynchronize(), "uploading");
}
inline void poison(void* memory, size_t bytes) {
  check(cudaMemset(memory, 0xFF, bytes), "poisoning");
  check(cudaDeviceSynchronize(), "poisoning");
}

class Stream {
 public:
  Stream() { check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "making a stream"); }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }
  void wait(const std::string& what) const { check(cudaStreamSynchronize(stream_), "running " + what); }

 private:
  cudaStream_t stream_ = nullptr;
};

/// Captures in a CUDA graph what enqueue() puts on the stream, runs the graph once and waits for it.
template <class Enqueue>
void run_captured(const Stream& stream, Enqueue&& enqueue, const std::string& what) {
  cudaGraph_t graph = nullptr;
  cudaGraphExec_t replay = nullptr;
  check(cudaStreamBeginCapture(stream.get(), cudaStreamCaptureModeThreadLocal), "beginning to capture " + what);
  enqueue();
  check(cudaStreamEndCapture(stream.get(), &graph), "capturing " + what);
  check(cudaGraphInstantiate(&replay, graph, 0), "making a graph of " + what);
  check(cudaGraphLaunch(replay, stream.get()), "launching the graph of " + what);
  stream.wait(what + ", captured");
  cudaGraphExecDestroy(replay);
  cudaGraphDestroy(graph);
}

/// The exit code of a program: the result of run, or 1, with the reason printed, if run throws.
inline int report(int (*run)(int, char**), int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::printf("FAILED %s\n", e.what());
    return 1;
  }
}

}  // namespace fastvideo
