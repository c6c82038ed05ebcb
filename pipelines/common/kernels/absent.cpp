// Stubs for a build without nvcc, which has no kernels.
#include <stdexcept>

#include "pipelines/common/kernels/kernels.hpp"

namespace fastvideo::kernels {
namespace {

constexpr const char* kAbsent = "this build has no CUDA kernels: nvcc was not found when it was configured";

}  // namespace

bool built() { return false; }
bool runs_on(int) { return false; }
std::string refusal(const AddNorm&) { return kAbsent; }
std::string refusal(const RmsNorm&) { return kAbsent; }
void launch(const AddNorm&, int, void*) { throw std::invalid_argument(kAbsent); }
void launch(const RmsNorm&, int, void*) { throw std::invalid_argument(kAbsent); }

}  // namespace fastvideo::kernels
