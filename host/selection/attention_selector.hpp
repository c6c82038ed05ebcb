// Choosing the attention backend of each site.
#pragma once

#include <fastvideo/attention.h>

#include <functional>
#include <set>
#include <string>
#include <vector>

#include "host/plugins/catalog.hpp"
#include "host/plugins/limits.hpp"
#include "host/selection/open_backends.hpp"
#include "host/selection/policy.hpp"
#include "host/selection/refusal.hpp"
#include "host/selection/selftest.hpp"

namespace fastvideo::host {

/// What a backend says of a site, once it may serve it.
struct SiteSupport {
  uint32_t numerics = FV_NUMERICS_EXACT;
  double score = 0;    ///< estimated microseconds of one run; 0 = no estimate
  std::string detail;  ///< what it will use ("cuDNN"); may be empty
};

/// A backend that may serve a site, and what it says and shows of itself there.
struct SiteBackend {
  const CatalogItem* item = nullptr;
  const OpenBackend* backend = nullptr;
  SiteSupport support;
  SelfTest self_test;
};

/// The backend of one site, and how it came to be chosen.
struct AttentionChoice : SiteBackend {
  AttentionRequest request;        ///< what was asked for
  std::string picked_from;         ///< "best of 2 that auto may take"; empty if there was nothing to pick from
  std::string substituted_for;     ///< why the request could not be met, if [attention] fallback stepped in
  std::vector<Ruled> others = {};  ///< other implementations of the same public name, and why not they
  std::string slower_than = {};  ///< what an approximation is slower than, and by how much, if it is; see slower_than()
};

/// One candidate for a site: either it fits, or a reason says why not.
struct Candidate : SiteBackend {
  std::string reason;
  bool was_tried = false;  ///< it said yes, and then its self-test or its plan was no good
  bool failed = false;     ///< its plan failed, rather than being refused
  bool fits() const { return reason.empty(); }
};

/// Plans a site with a candidate. Throws RequestError if it is refused, std::runtime_error if it failed or is not what
/// was promised; another candidate is then tried.
using PlanSite = std::function<void(const SiteBackend&)>;

/// Chooses as the settings say. The same settings, plugins and site give the same choice on every machine.
/// [one thread: the loader's]
class AttentionSelector {
 public:
  /// All are borrowed and must outlive this object.
  AttentionSelector(const Settings& settings, const Catalog& catalog, OpenBackends& backends, SelfTests& self_tests,
                    DeviceFacts device);

  /// Throws RequestError, with the nearest name and the table of what is installed, if a backend is asked for (globally
  /// or for any role) that no plugin offers.
  void require_known_names() const;

  /// The backend of a site: the best candidate that passes its self-test and that `plan`, unless empty, does not throw
  /// for. Throws, with a table of the candidates and why not, if the site cannot be served as configured: RequestError,
  /// or std::runtime_error if a plan failed.
  AttentionChoice choose(const fv_attention_site& site, const PlanSite& plan = {});

  const DeviceFacts& device() const { return device_; }
  /// Whether the role's backend is the host's choice, and not asked for by name.
  bool is_free(const char* role) const;

 private:
  std::vector<Candidate> candidates(const std::string& name, const fv_attention_site& site);
  Candidate examine(const CatalogItem& item, const fv_attention_site& site);
  const Candidate* best(const std::vector<Candidate>& candidates) const;
  const Candidate* best_that_computes(std::vector<Candidate>& candidates, const fv_attention_site& site,
                                      const PlanSite& plan);
  bool passes(Candidate& candidate, const fv_attention_site& site, const PlanSite& plan);
  SelfTest test(const Candidate& candidate, const fv_attention_site& site);
  std::string slower_than(const Candidate& taken, const fv_attention_site& site);
  bool auto_takes(uint32_t numerics) const;
  AttentionRequest request_for(const char* role) const;
  void require_known(const std::string& name, const std::string& asked, const std::string& setting) const;
  AttentionChoice fall_back(AttentionRequest request, const fv_attention_site& site, const PlanSite& plan,
                            std::vector<Candidate> tried);

  const Settings& settings_;
  const Catalog& catalog_;
  OpenBackends& backends_;
  DeviceFacts device_;
  std::vector<std::string> auto_numerics_;  // what auto may take: "exact", "reordered"
  std::vector<std::string> priority_;       // names that auto prefers, best first
  SelfTests& self_tests_;
  std::set<std::string> logged_;  // what has been said once
};

}  // namespace fastvideo::host
