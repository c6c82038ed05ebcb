// TORCH_SDPA on CUDA, with every kernel, against the formula in float64. Skipped without a GPU.
#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>
#include <fastvideo/plugin.hpp>
#include <fastvideo/torch.hpp>
#include <filesystem>
#include <map>

#include "plugins/attention/torch_sdpa/test_support.hpp"

namespace fastvideo::torch_sdpa_test {
namespace {

// As the host does on a CUDA run: libtorch_cuda.so is opened before anything asks LibTorch for CUDA.
bool cuda_is_here() {
  static const bool here = [] {
    Dl_info info{};
    if (dladdr(reinterpret_cast<const void*>(&at::globalContext), &info) == 0) return false;
    const auto library = std::filesystem::canonical(info.dli_fname).parent_path() / "libtorch_cuda.so";
    return dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL) != nullptr && at::hasCUDA();
  }();
  return here;
}

struct Runs {
  int count = 0;
  double seconds = 0;
};

class Cuda : public testing::Test {
 protected:
  void SetUp() override {
    if (!cuda_is_here()) GTEST_SKIP() << "no CUDA device";
  }
};

TEST_F(Cuda, EveryKernelIsTheFormulaUnderEveryMask) {
  const uint32_t masks[] = {0,
                            FV_MASK_CAUSAL,
                            FV_MASK_FRAME_CAUSAL,
                            FV_MASK_KEY_LENGTHS,
                            FV_MASK_BOOLEAN,
                            FV_MASK_BIAS,
                            FV_MASK_BIAS | FV_MASK_KEY_LENGTHS,
                            FV_MASK_CAUSAL | FV_MASK_BOOLEAN | FV_MASK_KEY_LENGTHS};
  std::map<std::string, Backend> backends;
  for (const char* kernel : {"auto", "math", "flash", "efficient", "cudnn"}) backends.try_emplace(kernel, kernel);
  std::map<std::string, Runs> runs;
  std::map<std::string, std::string> refusals;
  std::mt19937 random(11);
  for (const at::ScalarType dtype : {at::kFloat, at::kDouble, at::kBFloat16, at::kHalf}) {
    for (const uint32_t mask : masks) {
      for (const bool grouped : {false, true}) {  // cuDNN makes a plan for every new shape: few of them
        const Problem p = random_problem(random, {dtype, mask, (mask & FV_MASK_CAUSAL) != 0, grouped});
        const Problem on_gpu = to_device(p, at::Device(at::kCUDA, 0));
        const at::Tensor expected = formula(p);
        for (const auto& [kernel, backend] : backends) {
          if (const auto refusal = backend.refusal(on_gpu.site())) {
            EXPECT_NE(kernel, "auto") << *refusal;
            EXPECT_NE(kernel, "math") << *refusal;
            EXPECT_GT(refusal->size(), std::string("LibTorch cannot use its flash kernel: ").size()) << *refusal;
            refusals[kernel + " " + at::toString(dtype) + " masks " + std::to_string(mask)] = *refusal;
            continue;
          }
          const auto start = std::chrono::steady_clock::now();
          const Result result = run(backend, on_gpu);
          EXPECT_LT(relative_error(result.out, expected), tolerance(dtype))  // waits for the GPU
              << kernel << " -> " << result.kernel << ", " << at::toString(dtype) << ", masks " << mask << ", q "
              << p.q.sizes() << ", k " << p.k.sizes();
          EXPECT_EQ(result.ran, result.kernel);
          Runs& all = runs[kernel + "->" + result.ran];
          ++all.count;
          all.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        }
      }
    }
  }
  for (const auto& [name, all] : runs) std::printf("%s: %d problems, %.2f s\n", name.c_str(), all.count, all.seconds);
  for (const auto& [name, text] : refusals) std::printf("%s: %s\n", name.c_str(), text.c_str());
  for (const char* name : {"math->math", "flash->flash", "efficient->efficient", "cudnn->cudnn"}) {
    EXPECT_GT(runs[name].count, 0) << name;
  }
}

TEST_F(Cuda, AutoTakesTheKernelThatItNamesForALongVideo) {
  Problem p;
  const auto options = at::TensorOptions().dtype(at::kBFloat16).device(at::kCUDA);
  p.q = at::randn({1, 16384, 12, 128}, options);
  p.k = at::randn({1, 16384, 12, 128}, options);
  p.v = at::randn({1, 16384, 12, 128}, options);
  p.scale = 0.0883883476;
  const Result result = run(Backend("auto"), p);
  EXPECT_EQ(result.ran, result.kernel);
  std::printf("16384 tokens, bfloat16: %s\n", Backend("auto").remark(p.site()).c_str());
}

}  // namespace
}  // namespace fastvideo::torch_sdpa_test
