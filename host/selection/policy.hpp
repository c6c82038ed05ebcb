// Which attention backend was asked for at a role, by whom, and what that overrides.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "host/config/settings.hpp"

namespace fastvideo::host {

/// The name that leaves the choice to the host.
inline constexpr std::string_view kAuto = "auto";

/// What was asked for at one role.
struct AttentionRequest {
  enum class Scope {
    role,    ///< for this role by name
    global,  ///< for all roles that the backend claims
    rest,    ///< [attention] default: for roles that the global choice does not claim
    beside,  ///< the best exact backend, for the transformer's roles that a backend chosen by name does not claim
  };
  struct Overridden {
    std::string name;
    Scope scope;
    Source source;
  };

  std::string name;  ///< "FLASH_ATTN", "FLASH_ATTN/sm90" or "auto", as it was spelled
  Scope scope = Scope::global;
  Source source;
  std::vector<Overridden> overridden;

  bool is_auto() const;
  /// "--attention-backend", "the default of [attention] default"
  std::string asked_by() const;
  /// "FLASH_ATTN, asked for by --attention-backend": for messages
  std::string describe() const;
};

/// Whether choosing `name` globally governs `role`. For "auto" it is never asked: that governs dit.*.
using Claims = std::function<bool(const std::string& name, std::string_view role)>;

/// The request that governs a role: the higher source wins; within one source the role's own setting outranks the
/// global one. A global choice governs the roles that it claims. Roles that nothing governs use [attention] default;
/// those of the transformer beside a backend that was chosen by name get the best exact one if nobody set that default.
AttentionRequest request_for_role(const Settings& settings, std::string_view role, const Claims& claims);

}  // namespace fastvideo::host
