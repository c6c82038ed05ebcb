#include "host/selection/attention_selector.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::flag;
using test::in_file;
using test::site;
using test::TestPlugins;

std::string chosen(const std::vector<Given>& given, const char* role) {
  return TestPlugins(given).selector->choose(site(role)).backend->name;
}

std::string refusal_of(const std::vector<Given>& given, const char* role) {
  return test::refusal([&] { TestPlugins(given).selector->choose(site(role)); });
}

TEST(AttentionSelector, AutoTakesTheFastestThatIsNotApproximate) {
  // TILED says 1 microsecond but is approximate; SWIFT says 10, FORMULA 20, RECORDER 30.
  EXPECT_EQ(chosen({}, "dit.self"), "SWIFT/cpu");
  EXPECT_EQ(chosen({in_file("attention.numerics", Value::List{"exact"})}, "dit.self"), "FORMULA/cpu");
  EXPECT_EQ(chosen({in_file("attention.numerics", Value::List{"exact", "reordered", "approximate"})}, "dit.self"),
            "TILED/cpu");  // before TILED/other, which says the same, by its name
}

TEST(AttentionSelector, PriorityOutranksTheEstimate) {
  EXPECT_EQ(chosen({in_file("attention.priority", Value::List{"recorder", "SWIFT"})}, "dit.self"), "RECORDER/cpu");
  EXPECT_EQ(chosen({in_file("attention.priority", Value::List{"TILED", "formula/cpu"})}, "dit.self"), "FORMULA/cpu");
}

TEST(AttentionSelector, ANameIsItsBestImplementationAndLetterCaseIsIgnored) {
  const TestPlugins plugins({flag("attention.backend", "swift")});
  const AttentionChoice choice = plugins.selector->choose(site("dit.self"));
  EXPECT_EQ(choice.item->item->full_name(), "SWIFT/cpu");
  EXPECT_EQ(choice.picked_from, "");
  EXPECT_EQ(choice.request.describe(), "swift, asked for by --flag");
  EXPECT_EQ(chosen({flag("attention.backend", "tiled")}, "dit.self"), "TILED/cpu");
  EXPECT_EQ(chosen({flag("attention.backend", "TILED/other")}, "dit.self"), "TILED/other");
}

TEST(AttentionSelector, TellsWhyOtherImplementationsOfTheNameAreNotTaken) {
  const auto others = [](const char* name) {
    const TestPlugins plugins({flag("attention.backend", name)});
    std::string text;
    for (const Ruled& other : plugins.selector->choose(site("dit.self")).others)
      text += other.candidate + ": " + other.why_not + "\n";
    return text;
  };
  EXPECT_EQ(others("SWIFT"), "SWIFT/gpu: runs on cuda, not on cpu\nSWIFT/picky: head size 7 only\n");
  EXPECT_EQ(others("TILED"), "TILED/other: could serve too; estimates 1 us, that one 1 us\n");
  EXPECT_EQ(others("SWIFT/cpu"), "") << "nothing else was asked";
}

TEST(AttentionSelector, AnExplicitNameMayBeApproximate) {
  EXPECT_EQ(chosen({flag("attention.backend", "TILED")}, "dit.self"), "TILED/cpu");
}

TEST(AttentionSelector, RolesThatTheChoiceDoesNotClaimGetTheDefault) {
  const std::vector<Given> given{in_file("attention.default", "FORMULA"), flag("attention.backend", "TILED")};
  EXPECT_EQ(chosen(given, "dit.cross"), "FORMULA/cpu");
  EXPECT_EQ(chosen(given, "text.self"), "FORMULA/cpu");
  // Nobody set a default: the best exact backend.
  EXPECT_EQ(chosen({flag("attention.backend", "TILED")}, "dit.cross"), chosen({}, "dit.cross"));
  EXPECT_EQ(chosen({flag("attention.backend", "RECORDER")}, "text.self"), "RECORDER/cpu");
}

// SWIFT is exact enough and estimates 10 microseconds, FORMULA 20.
TEST(AttentionSelector, AnApproximationThatGainsNothingSaysSo) {
  const auto said = [](std::vector<Given> given) {
    const TestPlugins plugins(given);
    return plugins.selector->choose(site("dit.self")).slower_than;
  };
  const Given tiled = flag("attention.backend", "TILED/cpu");
  EXPECT_EQ(said({tiled, in_file("attention.TILED.estimate", 33.0)}),
            "slower than SWIFT here: 0.033 ms instead of 0.01, as they estimate");
  EXPECT_EQ(said({tiled, in_file("attention.TILED.estimate", 15.0), flag("attention.SWIFT.fault", "supports")}), "");
  EXPECT_EQ(said({tiled, in_file("attention.TILED.estimate", 9.0)}), "");
  EXPECT_EQ(said({tiled, in_file("attention.TILED.estimate", 0.0)}), "");  // it does not say
  EXPECT_EQ(said({flag("attention.backend", "FORMULA")}), "");             // exact: somebody wants it
}

TEST(AttentionSelector, ARefusalHasTheTable) {
  const std::string text =
      refusal_of({flag("attention.backend", "SWIFT"), flag("attention.SWIFT.fault", "supports")}, "dit.self");
  EXPECT_EQ(text,
            "dit.self cannot be served as configured: SWIFT, asked for by --flag (24 queries x 24 keys, 1 heads of 4, "
            "float32 on cpu)\n"
            "  SWIFT/cpu    could not answer: supports broke\n"
            "  SWIFT/gpu    runs on cuda, not on cpu\n"
            "  SWIFT/picky  head size 7 only\n"
            "By their manifests these can serve it: FORMULA/cpu, TILED/cpu, TILED/other, RECORDER/cpu. Choose one with "
            "--attention-backend dit.self=NAME, or permit it in [attention] fallback");
}

TEST(AttentionSelector, AForcedImplementationIsNeverReplaced) {
  const std::string text = refusal_of({flag("attention.backend", "SWIFT/gpu")}, "dit.self");
  EXPECT_TRUE(contains(text, "SWIFT/gpu  runs on cuda, not on cpu"));
  EXPECT_FALSE(text.find("SWIFT/picky  head") != std::string::npos);
}

TEST(AttentionSelector, FaultsOfABackendAreReasons) {
  const auto with_fault = [](const char* fault) {
    return refusal_of({flag("attention.backend", "SWIFT/cpu"), flag("attention.SWIFT.fault", fault)}, "dit.self");
  };
  EXPECT_TRUE(contains(with_fault("create"), "SWIFT/cpu  create broke"));
  EXPECT_TRUE(contains(with_fault("numerics"), "would be approximate where its manifest promises reordered at worst"));
  EXPECT_TRUE(contains(refusal_of({flag("attention.backend", "SWIFT/picky")}, "dit.self"), "head size 7 only"));
}

TEST(AttentionSelector, ABackendThatFailsItsSelfTestIsNotUsed) {
  const std::string fault = "inaccurate";
  const std::string text =
      refusal_of({flag("attention.backend", "SWIFT"), flag("attention.SWIFT.fault", fault)}, "dit.self");
  EXPECT_TRUE(contains(text, "SWIFT/cpu    failed its self-test: relative error 0.0"));
  EXPECT_TRUE(contains(text, "against float64 (at most "));
  EXPECT_EQ(chosen({flag("attention.SWIFT.fault", fault)}, "dit.self"), "FORMULA/cpu");  // auto takes the next
  EXPECT_EQ(chosen({flag("attention.backend", "SWIFT"), flag("attention.SWIFT.fault", fault),
                    flag("attention.self_test", "off")},
                   "dit.self"),
            "SWIFT/cpu");
  const TestPlugins plugins({flag("attention.backend", "TILED")});
  EXPECT_EQ(plugins.selector->choose(site("dit.self")).self_test.outcome, SelfTest::Outcome::passed);
}

TEST(AttentionSelector, FallbackStandsInWhereItIsPermitted) {
  const std::vector<Given> given{in_file("attention.fallback", Value::List{"SWIFT/gpu", "TILED", "FORMULA"}),
                                 flag("attention.backend", "SWIFT/picky")};
  const TestPlugins plugins(given);
  const AttentionChoice self = plugins.selector->choose(site("dit.self"));
  EXPECT_EQ(self.backend->name, "TILED/cpu");
  EXPECT_EQ(self.substituted_for, "SWIFT/picky: head size 7 only");
  EXPECT_EQ(self.request.name, "SWIFT/picky");
  EXPECT_EQ(chosen(given, "dit.cross"), "FORMULA/cpu");
}

TEST(AttentionSelector, AnExhaustedFallbackRefusesWithAllThatWasTried) {
  const std::string text = refusal_of(
      {in_file("attention.fallback", Value::List{"SWIFT", "TILED"}), flag("attention.backend", "SWIFT/picky")},
      "dit.cross");
  // SWIFT/cpu of the fallback serves it, so break that too.
  EXPECT_EQ(text, "(accepted)");
  const std::string broken =
      refusal_of({in_file("attention.fallback", Value::List{"SWIFT", "TILED"}), flag("attention.SWIFT.fault", "create"),
                  flag("attention.backend", "SWIFT/picky")},
                 "dit.cross");
  EXPECT_TRUE(contains(broken, "\n  SWIFT/picky  head size 7 only\n  SWIFT/cpu    create broke\n"));
  EXPECT_TRUE(contains(broken, "\n  TILED/cpu    "));
  EXPECT_EQ(broken.find("SWIFT/picky  head size"), broken.rfind("SWIFT/picky  head size"));
}

TEST(AttentionSelector, UnknownNamesAreRefusedBeforeAnythingIsOpened) {
  const auto unknown = [](const Given& given) {
    TestPlugins plugins({given});
    std::string text = test::refusal([&] { plugins.selector->require_known_names(); });
    EXPECT_TRUE(plugins.loader.opened().empty());
    return text;
  };
  const std::string global = unknown(flag("attention.backend", "SWIFFT"));
  EXPECT_TRUE(contains(global, "'SWIFFT', asked for by --flag; did you mean 'SWIFT'?"));
  EXPECT_TRUE(contains(global, "\n  SWIFT/gpu     runs on cuda, not on cpu"));
  EXPECT_TRUE(contains(global, "\n  FORMULA/cpu   usable: "));
  EXPECT_TRUE(contains(unknown(in_file("attention.roles.dit.cross", "SWIFT/cpi")), "did you mean 'SWIFT/cpu'?"));
  for (const char* list : {"attention.fallback", "attention.priority"})
    EXPECT_TRUE(contains(unknown(in_file(list, Value::List{"FORMULA", "SWIFFT"})), "did you mean 'SWIFT'?")) << list;
  EXPECT_EQ(unknown(flag("attention.backend", "Auto")), "(accepted)");
}

TEST(AttentionSelector, AnUnknownNameIsNotReplacedByTheFallback) {
  EXPECT_TRUE(contains(
      refusal_of({in_file("attention.fallback", Value::List{"FORMULA"}), flag("attention.roles.dit.self", "FORMULAR")},
                 "dit.self"),
      "did you mean 'FORMULA'?"));
}

TEST(AttentionSelector, WithoutPluginsTheRefusalSaysSo) {
  const test::TemporaryFolder empty;
  TestPlugins plugins({}, empty.path().string());
  EXPECT_TRUE(contains(test::refusal([&] { plugins.selector->choose(site("dit.self")); }),
                       "no attention backend is installed"));
}

}  // namespace
}  // namespace fastvideo::host
