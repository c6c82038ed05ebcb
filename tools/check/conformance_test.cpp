// `fastvideo plugins check` from outside: a plugin that keeps all rules passes, and each broken rule is found.
#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <regex>

#include "host/config/test_files.hpp"
#include "host/process/child_process.hpp"

namespace fastvideo::host {
namespace {

using test::contains;

class PluginsCheck : public ::testing::Test {
 protected:
  PluginsCheck() {
    for (const char* name : {"FASTVIDEO_CONFIG", "FASTVIDEO_PLUGIN_PATH", "XDG_CONFIG_HOME"}) unsetenv(name);
    setenv("HOME", folder_.path().c_str(), 1);
    // In a build with sanitizers a plugin that crashes on purpose still dies of its signal.
    for (const char* name : {"ASAN_OPTIONS", "TSAN_OPTIONS", "UBSAN_OPTIONS"}) setenv(name, "handle_segv=0", 1);
  }

  // The faulty plugin of a kind, with the fault as its default. Attention that takes masks has all corners checked.
  CommandResult check(const std::string& kind, const std::string& fault, const std::vector<std::string>& more = {}) {
    std::string manifest = "manifest = 1\nid = \"org.example.faulty\"\nversion = \"1.0.0\"\nabi = \"0.1\"\n";
    manifest += "[[item]]\nkind = \"" + kind + "\"\nname = \"FAULTY\"\nimplementation = \"cpu\"\n";
    manifest += "library = \"faulty_" + kind + ".so\"\nsummary = \"s\"\n";
    if (kind == "attention")
      manifest += "[item.limits]\ndevices = [\"cpu\"]\ndtypes = [\"float32\"]\nmasks = [" + masks_ +
                  "]\n[item.attention]\n"
                  "numerics = \"exact\"\n";
    if (kind == "pipeline")
      manifest += "[item.pipeline]\nmodel_classes = [\"FaultyPipeline\"]\n";
    else
      manifest += "[[item.option]]\nname = \"fault\"\ntype = \"string\"\nhelp = \"h\"\ndefault = \"" + fault + "\"\n";
    folder_.write("plugin/plugin.toml", manifest);
    std::filesystem::copy_file(FAULTY_PLUGINS "/faulty_" + kind + ".so", plugin() / ("faulty_" + kind + ".so"),
                               std::filesystem::copy_options::overwrite_existing);
    return run(more);
  }
  CommandResult run(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments{"plugins", "check", plugin().string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_command(FASTVIDEO_PROGRAM, arguments, std::chrono::seconds(120));
  }

  // The exit code is 2, and the check failed with this text.
  void expect_found(const std::string& kind, const std::string& fault, const std::string& check_name,
                    const std::string& text, const std::vector<std::string>& more = {}) {
    const CommandResult result = check(kind, fault, more);
    EXPECT_EQ(result.status.code, 2) << fault << ": " << result.output << result.error_output;
    const std::regex line(" " + check_name + "[^\n]*FAILED: [^\n]*" + text);
    EXPECT_TRUE(std::regex_search(result.output, line)) << fault << ": no '" << text << "' in:\n" << result.output;
    EXPECT_TRUE(std::regex_search(result.error_output, std::regex("fails [0-9]+ of [0-9]+ checks"))) << fault;
  }

  std::filesystem::path plugin() const { return folder_.path() / "plugin"; }

  std::string masks_;  // of the attention, as its manifest lists them
  test::TemporaryFolder folder_;
};

TEST_F(PluginsCheck, PassesPluginsThatKeepTheRules) {
  for (const char* kind : {"attention", "cache", "pipeline"}) {
    const CommandResult result = check(kind, "none", {"--threads", "1"});
    EXPECT_EQ(result.status.code, 0) << result.output << result.error_output;
    EXPECT_TRUE(std::regex_search(result.output, std::regex("passes all [0-9]+ checks")));
  }
}

// Where a query and a key do not meet is defined to the last case (attention.h).
TEST_F(PluginsCheck, FindsWhereMasksAreReadInAnotherWay) {
  masks_ = R"("causal", "key_lengths", "boolean", "bias")";
  EXPECT_EQ(check("attention", "none", {"--threads", "1"}).status.code, 0);
  expect_found("attention", "aligns_at_the_end", "run float32, causal mask, 37 keys for 24 queries",
               "out differs from");
  expect_found("attention", "one_mask", "run float32, key_lengths, boolean masks at once", "out differs from");
  expect_found("attention", "means_of_nothing", "run float32, queries closed by a key_lengths mask",
               "out holds 0.5 for a query that sees no key; the sum over no keys is 0");
  expect_found("attention", "divides_by_nothing", "run float32, queries closed by a boolean mask", "not finite");
  expect_found("attention", "sums_to_nothing", "run float32, queries closed by a bias mask, log-sum-exp",
               "log_sum_exp is 0 for a query that sees no key, not minus infinity");
}

TEST_F(PluginsCheck, SurvivesPluginsThatDoNot) {
  for (const char* kind : {"attention", "cache"}) {
    const std::string where = std::string(kind) == "attention" ? "run float32" : "loop of 1 steps";
    expect_found(kind, "crashes", where, "crashed: killed by signal 11 \\(Segmentation fault\\)");
    expect_found(kind, "aborts", where, "crashed: killed by signal 6");
    expect_found(kind, "exits", where, "ended too early: exit code 0");
    expect_found(kind, "calls_exit", where,
                 "ended too early: exit code 1, 'fastvideo: exit\\(0\\) was called in the check '" + where);
    expect_found(kind, "prints", "writes nothing to standard output", "wrote 'hello from a plugin");
  }
  expect_found("attention", "throws_int", "run float32", "threw an exception across the ABI, which is no");
  expect_found("attention", "crashes_at_the_end", "create with the defaults", "killed by signal 11");
}

// Two tests, since each waits for its deadline.
TEST_F(PluginsCheck, FindsTheAttentionThatHangs) {
  expect_found("attention", "hangs", "run float32", "hangs: it had not ended after 5.000 s", {"--deadline", "5"});
}
TEST_F(PluginsCheck, FindsTheStrategyThatHangs) {
  expect_found("cache", "hangs", "loop of 1 steps", "hangs: it had not ended after 5.000 s", {"--deadline", "5"});
}

TEST_F(PluginsCheck, FindsTheFunctionThatThrows) {
  const std::string thrown = "threw an exception across the ABI: thrown on purpose";
  for (const auto& [function, check_name] : {std::pair{"create", "create with the defaults"},
                                             {"supports", "supports: pure"},
                                             {"plan", "run float32"},
                                             {"prepare", "run float32"},
                                             {"run", "run float32"},
                                             {"destroy_plan", "run float32"},
                                             {"destroy", "create with the defaults"}})
    expect_found("attention", std::string("throws in ") + function, check_name, thrown);
  for (const auto& [function, check_name] : {std::pair{"create", "create with the defaults"},
                                             {"supports", "supports: pure"},
                                             {"open", "loop of 4 steps"},
                                             {"decide", "loop of 4 steps"},
                                             {"observe", "loop of 4 steps"},
                                             {"close", "loop of 4 steps"},
                                             {"destroy", "create with the defaults"}})
    expect_found("cache", std::string("throws in ") + function, check_name, thrown);
  expect_found("pipeline", "", "create: refuses an empty folder", thrown, {"--threads", "6"});
}

TEST_F(PluginsCheck, FindsFaultsOfAttention) {
  expect_found("attention", "starts_full", "create with the defaults", "FV_OUT_OF_MEMORY");
  expect_found("attention", "moody", "supports: pure", "had different answers");
  expect_found("attention", "no_reason", "supports: pure", "says no and gives no reason");
  expect_found("attention", "worse", "supports: pure", "numerics approximate, the manifest says exact at worst");
  expect_found("attention", "fails_outside", "supports: answers", "what is this type\\?");
  expect_found("attention", "takes_any_bits", "supports: refuses", "unknown mask 1 << 30");
  expect_found("attention", "reads_too_far", "supports: reads structs", "depends on fields that were appended");
  expect_found("attention", "writes_null_text", "errors: nobody wants the text",
               "killed by signal 11|member access within null pointer");
  expect_found("attention", "no_plan", "run float32", "plan gave FV_OK and no plan");
  expect_found("attention", "gives_null", "run float32", "plan\\(\\) gave no plan; one that cannot be is refused");
  expect_found(
      "attention", "takes_over", "supports: pure",
      "it leaves the process changed \\(umask, floating-point mode, the handler of signal 15 \\(Terminated\\), "
      "the environment \\(OMP_NUM_THREADS\\), a running ITIMER_VIRTUAL\\)");
  expect_found("attention", "greedy", "run float32", "asks for 1099511627776 bytes");
  expect_found("attention", "absurd", "run float32", "asks for 0 resident and 1152921504606846976 scratch bytes, and");
  expect_found("attention", "odd_numerics", "supports: pure", "numerics unknown \\(99\\), the manifest says exact");
  expect_found("attention", "odd_plan", "run float32", "its plan's numerics are unknown \\(99\\)");
  expect_found("attention", "moves_the_text", "run float32", "plan put another buffer in the place of the one for its");
  expect_found("attention", "moves_the_reason", "supports: pure", "supports put another buffer in the place");
  expect_found("attention", "throws in the first step", "run float32, the first step of 50", "thrown on purpose");
  expect_found("attention", "throws in the last step", "run float32, the last step of 50", "thrown on purpose");
  expect_found("attention", "serves_nothing", "serves one of the problems",
               "it serves none of [0-9]+ problems, .*\\(float32, head size 24: only on Sundays\\)");
  expect_found("attention", "leaves_a_row", "run float32, one query", "192 elements of out are not written");
  expect_found("attention", "writes_behind_rows", "run float32, gaps between", "run wrote outside of out");
  expect_found("attention", "changes_inputs", "run float32", "run changed its inputs");
  expect_found("attention", "ignores_scale", "run float32", "out differs from the formula in float64 by 0\\.");
  expect_found("attention", "skips_a_key", "run float32, 201 queries",
               "out differs from the formula in float64 by 0\\.");
}

TEST_F(PluginsCheck, FindsFaultsOfStrategies) {
  expect_found("cache", "needs_no_cut", "supports: refuses a pipeline", "takes a session without a cut");
  expect_found("cache", "odd_signal", "loop of 4 steps",
               "wants the signal 'weather', which this pipeline cannot measure");
  expect_found("cache", "gives_null", "loop of 4 steps", "open\\(\\) gave no session; one that cannot be is refused");
  expect_found("cache", "odd_cut", "loop of 4 steps", "leaves out blocks \\[3, 99\\) of 6");
  expect_found("cache", "odd_action", "loop of 4 steps", "the unknown answer 7");
  expect_found("cache", "moves_coefficients", "loop of 4 steps",
               "it put another pointer in the place of the coefficients");
  expect_found("cache", "differs_from_itself", "loop of 4 steps", "the difference of branch 1 to itself");
  expect_found("cache", "hasty", "loop of 4 steps", "combines slot 0, which holds nothing");
  expect_found("cache", "not_a_number", "loop of 4 steps", "coefficient 0 is not written or not finite");
  expect_found("cache", "forgetful", "loop of 30 steps", "the same numbers led to other decisions|holds nothing");
}

TEST_F(PluginsCheck, PassesOverWhatCannotBeCreatedHere) {
  const CommandResult result = check("attention", "refuses_create");
  EXPECT_EQ(result.status.code, 0) << result.output << result.error_output;
  EXPECT_TRUE(contains(result.output, "skipped: create refuses, so nothing else can be checked here: create broke"));
  EXPECT_TRUE(std::regex_search(result.output, std::regex("passes all [0-9]+ checks; 1 more could not be made here")));
}

TEST_F(PluginsCheck, SaysThatAStrategyTakesNoneOfTheLoops) {
  const CommandResult result = check("cache", "takes_nothing");
  EXPECT_EQ(result.status.code, 0) << result.output << result.error_output;
  EXPECT_TRUE(contains(result.output, "skipped: it takes none of 18 loops, so nothing that it decides was checked"));
}

TEST_F(PluginsCheck, OfOneItemIsReadByPeople) {
  const CommandResult good = check("attention", "none", {"--item", "0"});
  EXPECT_EQ(good.status.code, 0) << good.error_output;
  EXPECT_TRUE(contains(good.output, "options and data files ... passed\n"));
  for (const char c : good.output) EXPECT_TRUE(c == '\n' || c >= ' ') << int{c};
  const CommandResult bad = check("attention", "no_reason", {"--item", "0"});
  EXPECT_EQ(bad.status.code, 2) << bad.output;
  EXPECT_TRUE(contains(bad.output, " ... FAILED: "));
  EXPECT_TRUE(contains(bad.error_output, "share/fastvideo/conformance/README.md"));
  EXPECT_TRUE(contains(check("attention", "none", {"--item", "7"}).error_output, "the plugin has 1 items"));
  EXPECT_EQ(check("attention", "crashes", {"--item", "0"}).status.signal, SIGSEGV);
}

TEST_F(PluginsCheck, FindsFaultsOfPipelines) {
  expect_found("pipeline", "", "create: refuses a folder that does not", "killed by signal 11", {"--threads", "2"});
  expect_found("pipeline", "", "create: refuses an empty folder", "accepted a folder", {"--threads", "3"});
  expect_found("pipeline", "", "create: refuses an empty folder", "FV_FAILED without a text", {"--threads", "4"});
  expect_found("pipeline", "", "create: refuses an empty folder", "gave no reason", {"--threads", "5"});
}

TEST_F(PluginsCheck, FindsFaultsOfManifestsAndLibraries) {
  const auto with_library = [&](const std::string& library, const std::string& head = "abi = \"0.1\"\n") {
    folder_.write("plugin/plugin.toml", "manifest = 1\nid = \"org.example.fake\"\nversion = \"1.0.0\"\n" + head +
                                            "[[item]]\nkind = \"attention\"\nname = \"FAKE\"\nimplementation = "
                                            "\"cpu\"\nlibrary = \"" +
                                            library + "\"\nsummary = \"s\"\n");
    if (std::filesystem::exists(FAKE_PLUGINS "/" + library))
      std::filesystem::copy_file(FAKE_PLUGINS "/" + library, plugin() / library,
                                 std::filesystem::copy_options::overwrite_existing);
    const CommandResult result = run();
    EXPECT_EQ(result.status.code, 2) << result.output;
    return result.output;
  };
  EXPECT_TRUE(contains(with_library("nothing.so"), "nothing.so; copy the plugin's folder anew, with its libraries"));
  EXPECT_TRUE(contains(with_library("no_entry.so"), "exports no fastvideo_plugin"));
  EXPECT_TRUE(contains(with_library("extra_export.so"), "helper_that_clashes"));
  EXPECT_TRUE(contains(with_library("wrong_abi.so"), "built for plugin ABI 0.2, this host takes exactly 0.1"));
  EXPECT_TRUE(contains(with_library("wrong_id.so"), "its code 'org.example.other'"));
  EXPECT_TRUE(contains(with_library("throws.so"), "its entry threw across the ABI: thrown on purpose"));
  EXPECT_TRUE(contains(with_library("table_throws.so"), "get_interface threw an exception across the ABI"));
  EXPECT_TRUE(contains(with_library("no_run.so"), "has no function 'run'"));
  EXPECT_TRUE(contains(with_library("declines.so"), "the plugin declines: not for host"));
  EXPECT_TRUE(contains(with_library("none.so", "abi = \"0.1\"\ncolour = 1\n"), "plugin.toml:5:1: unknown key"));
  EXPECT_TRUE(contains(with_library("none.so"), "get_interface(\"fastvideo.unknown/1\") is not NULL"));
  EXPECT_TRUE(contains(with_library("none.so", "abi = 1\n"), "plugin.toml:4:1"));
  folder_.write("plugin/cut.so", std::string("\x7f"
                                             "ELF\2\1\1",
                                             7));
  EXPECT_TRUE(contains(with_library("cut.so"), "cut.so"));
}

TEST_F(PluginsCheck, RefusesWhatIsNoPluginFolder) {
  const CommandResult nothing = run();
  EXPECT_EQ(nothing.status.code, 2);
  EXPECT_TRUE(contains(nothing.error_output, "is no folder; give the folder that holds the plugin.toml"));
  folder_.write("plugin/one/plugin.toml", "");
  EXPECT_TRUE(contains(run().error_output, "holds no plugin.toml; plugins are in its folders one"));
  const CommandResult deadline = run({"--deadline", "-1"});
  EXPECT_EQ(deadline.status.code, 2);
  EXPECT_TRUE(contains(deadline.error_output, "--deadline"));
}

}  // namespace
}  // namespace fastvideo::host
