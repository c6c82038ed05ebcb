// What was decided for a request, as the data of runtime.h.
#pragma once

#include <fastvideo/runtime.h>

#include <string>
#include <vector>

#include "host/request/checked_request.hpp"
#include "host/runtime/errors.hpp"
#include "host/runtime/texts.hpp"

namespace fastvideo::host {

/// Taken once, when the request has been checked: a run changes what the request holds. Immutable; any thread.
struct Explanation {
  explicit Explanation(CheckedRequest& request);
  Explanation(const Explanation&) = delete;
  Explanation& operator=(const Explanation&) = delete;

  Texts texts;
  fvr_request_info info{};
  std::vector<fvr_site> sites;
  std::vector<std::vector<fvr_reason>> reasons;  // of each site
  std::vector<fvr_parameter> parameters;
  std::vector<fvr_memory> memory;

 private:
  void add_site(const AttentionBinding& binding, const PipelineEstimate::Site& site);
  void add_reasons(const AttentionChoice& choice);
  void add_parameters(const CheckedRequest& request);
  void add_parameter(const std::string& path, const Setting& setting);
  void add_memory(const CheckedRequest& request);
};

}  // namespace fastvideo::host
