#include "pipelines/common/diffusion/bad_step.hpp"

#include <ATen/ATen.h>

#include <fastvideo/core.hpp>
#include <stdexcept>

namespace fastvideo {
namespace {

std::string advice_for(const WatchedAttention::Place& place) {
  return "choose another backend for this role with --attention-backend " + place.role +
         "=NAME, and report it to the " + "author of " + place.backend;
}

}  // namespace

std::string reason_of(const BadStepFacts& bad) {
  CheckedAttention checked(bad.attention);
  std::string defect_again;
  try {
    defect_again = defect_of(bad.predict(checked));
  } catch (const std::runtime_error& e) {
    return e.what();  // a fault that repeats is located by its message
  }
  const bool is_flat = defect_of(bad.step.output) == "one value everywhere";
  if (is_flat && !defect_again.empty())
    return "no attention site gives NaN; the weights, the guidance scale or the scheduler are at fault";
  const auto first = bad.watched.first_bad(bad.step.step);
  if (first && !first->backend.empty())
    return first->text +
           ", gave NaN or infinity, and not when the step was repeated: it has different results for "
           "equal inputs; " +
           advice_for(*first);
  if (!bad.strategy.empty() && (first || is_flat))
    return "the caching strategy " + bad.strategy +
           " is at fault, which left out a part of this step: computed whole, " +
           "the step is right; choose another one, or none, with --cache-strategy";
  if (first || is_flat)
    return "the step was right when it was repeated: something has different results for equal inputs, and may be any "
           "of " +
           bad.watched.backends(bad.step.step) + "; try others with --attention-backend";
  return "what the model predicts is finite; the scheduler's settings (flow_shift, sigmas) are at fault";
}

std::string reason_of_text(const WatchedAttention& watched, HostAttention& attention,
                           const std::function<bool(Attention&)>& encode) {
  const std::string what = "the text embeddings hold NaN or infinity: ";
  CheckedAttention checked(attention);
  try {
    if (!encode(checked)) return what + "no attention site is at fault; the text encoder's weights are";
  } catch (const Cancelled&) {
    throw;
  } catch (const std::runtime_error& e) {
    return what + e.what();
  }
  return what + reason_of_once(watched, -1, "the text was encoded");
}

std::string reason_of_once(const WatchedAttention& watched, int32_t step, const std::string& done) {
  if (const auto first = watched.first_bad(step))
    return first->text + ", gave it, and not when " + done + " again: it has different results for equal inputs; " +
           advice_for(*first);
  return "when " + done + " again, it was right: something has different results for equal inputs, and may be any of " +
         watched.backends(step) + "; try others with --attention-backend";
}

}  // namespace fastvideo
