#include "host/selection/policy.hpp"

#include <gtest/gtest.h>

#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using test::flag;
using test::in_file;
using test::variable;

// The transformer is claimed by every name but "SELF_ONLY".
AttentionRequest request(const std::vector<Given>& given, std::string_view role) {
  const Settings settings = resolve(Schema::host(), given, Unknown::refuse);
  return request_for_role(settings, role, [](const std::string& name, std::string_view of) {
    return name == "SELF_ONLY" ? of == "dit.self" : of.starts_with("dit.");
  });
}

struct Row {
  const char* what;
  std::vector<Given> given;  // in rising order of rank
  const char* self;          // what governs dit.self
  const char* cross;
  const char* text;
};

// Command line > environment > TOML > auto; within one source the role outranks the global name; what a global name
// does not claim falls to the role's own setting, else to [attention] default.
TEST(Policy, Precedence) {
  const Given file_global = in_file("attention.backend", "FILE");
  const Given file_cross = in_file("attention.roles.dit.cross", "FILE_CROSS");
  const Given file_text = in_file("attention.roles.text.self", "FILE_TEXT");
  const Given file_rest = in_file("attention.default", "FILE_REST");
  const Given env_global = variable("attention.backend", "ENV");
  const Given flag_global = flag("attention.backend", "FLAG");
  const Given flag_cross = flag("attention.roles.dit.cross", "FLAG_CROSS");
  const Given flag_self_only = flag("attention.backend", "SELF_ONLY");
  const std::vector<Row> rows = {
      {"nothing", {}, "auto", "auto", "TORCH_SDPA"},
      {"file", {file_global}, "FILE", "FILE", "TORCH_SDPA"},
      {"the rest by file", {file_rest}, "auto", "auto", "FILE_REST"},
      {"role in the same file", {file_global, file_cross}, "FILE", "FILE_CROSS", "TORCH_SDPA"},
      {"role without global", {file_cross, file_text}, "auto", "FILE_CROSS", "FILE_TEXT"},
      {"environment over file", {file_global, env_global}, "ENV", "ENV", "TORCH_SDPA"},
      {"environment over a role of the file", {file_cross, env_global}, "ENV", "ENV", "TORCH_SDPA"},
      {"... but not where it claims nothing", {file_text, env_global}, "ENV", "ENV", "FILE_TEXT"},
      {"flag over all", {file_global, file_cross, env_global, flag_global}, "FLAG", "FLAG", "TORCH_SDPA"},
      {"role by flag", {env_global, flag_global, flag_cross}, "FLAG", "FLAG_CROSS", "TORCH_SDPA"},
      {"role by flag over the environment", {env_global, flag_cross}, "ENV", "FLAG_CROSS", "TORCH_SDPA"},
      {"narrow claim leaves the role's setting", {file_cross, flag_self_only}, "SELF_ONLY", "FILE_CROSS", "TORCH_SDPA"},
      {"narrow claim leaves the rest of the transformer to auto",
       {file_global, flag_self_only},
       "SELF_ONLY",
       "auto",
       "TORCH_SDPA"},
      {"... unless the default was set", {file_rest, flag_self_only}, "SELF_ONLY", "FILE_REST", "FILE_REST"},
      {"auto by flag over a role of the file",
       {file_cross, flag("attention.backend", "AUTO")},
       "AUTO",
       "AUTO",
       "TORCH_SDPA"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(request(row.given, "dit.self").name, row.self) << row.what;
    EXPECT_EQ(request(row.given, "dit.cross").name, row.cross) << row.what;
    EXPECT_EQ(request(row.given, "text.self").name, row.text) << row.what;
  }
}

TEST(Policy, TellsWhatItOverrides) {
  const AttentionRequest made =
      request({in_file("attention.backend", "FILE"), in_file("attention.roles.dit.cross", "FILE_CROSS"),
               variable("attention.backend", "ENV"), flag("attention.backend", "FLAG")},
              "dit.cross");
  EXPECT_EQ(made.describe(), "FLAG, asked for by --flag");
  ASSERT_EQ(made.overridden.size(), 3u);
  EXPECT_EQ(made.overridden[0].name, "ENV");
  EXPECT_EQ(made.overridden[1].name, "FILE");
  EXPECT_EQ(made.overridden[1].source.describe(), "test.toml:3:1");
  EXPECT_EQ(made.overridden[2].name, "FILE_CROSS");
  EXPECT_EQ(made.overridden[2].scope, AttentionRequest::Scope::role);
}

TEST(Policy, ADefaultThatLosesIsNotWorthAWord) {
  EXPECT_TRUE(request({in_file("attention.roles.dit.self", "X")}, "dit.self").overridden.empty());
  EXPECT_EQ(request({}, "text.self").describe(), "TORCH_SDPA, the default of [attention] default");
  EXPECT_EQ(request({flag("attention.backend", "SELF_ONLY")}, "dit.cross").describe(),
            "auto, the default beside a backend that does not claim the role");
}

}  // namespace
}  // namespace fastvideo::host
