#include <gtest/gtest.h>

#include "host/plugins/catalog.hpp"
#include "host/plugins/testing/plugin_folder.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::manifest_head;
using test::manifest_item;

class ItemOptions : public ::testing::Test {
 protected:
  void add(const std::string& folder, const std::string& kind, const std::string& name, const std::string& option) {
    files_.write(folder + "/plugin.toml",
                 manifest_head("id." + folder) + manifest_item(kind, name, folder) + "[[item.option]]\n" + option);
  }
  std::string option(const std::string& name, const std::string& type, const std::string& more = "") {
    return "name = \"" + name + "\"\ntype = \"" + type + "\"\n" + more;
  }
  Catalog extend() {
    Catalog catalog = Catalog::discover({{files_.path(), "test", false}});
    add_options(schema_, catalog, {"--config"});
    return catalog;
  }
  test::TemporaryFolder files_;
  Schema schema_ = Schema::host();
};

TEST_F(ItemOptions, BecomeSettings) {
  add("a", "attention", "FAST", option("kernel", "string", "flag = \"--fast-kernel\"\nvariable = \"FAST_KERNEL\"\n"));
  add("b", "pipeline", "wan", option("height", "int", "flag = \"--height\"\n"));
  add("c", "pipeline", "other", option("height", "int", "flag = \"--height\"\n"));
  extend();
  EXPECT_EQ(schema_.find("attention.fast.kernel").size(), 1u);
  EXPECT_EQ(schema_.find("request.height").size(), 2u) << "two pipelines share a parameter and its flag";
  EXPECT_EQ(schema_.find_flag("--fast-kernel").at(0)->path, "attention.FAST.kernel");
  EXPECT_TRUE(contains(schema_.find("request.height")[0]->owner, "wan/b ("));
}

TEST_F(ItemOptions, OneFlagForTwoMeaningsRefusesBothNamingBoth) {
  add("a", "cache", "tea", option("threshold", "float", "flag = \"--threshold\"\n"));
  add("b", "cache", "mag", option("threshold", "float", "flag = \"--threshold\"\n"));
  add("c", "cache", "easy", option("threshold", "float"));
  const Catalog catalog = extend();
  for (const int i : {0, 1}) {
    EXPECT_EQ(catalog.items()[i].state, ItemState::refused);
    EXPECT_TRUE(contains(catalog.items()[i].reason, "the flag --threshold means different things"));
    EXPECT_TRUE(contains(catalog.items()[i].reason, "cache.tea.threshold of tea/a ("));
    EXPECT_TRUE(contains(catalog.items()[i].reason, "cache.mag.threshold of mag/b ("));
  }
  EXPECT_EQ(catalog.items()[2].state, ItemState::offered);
  EXPECT_TRUE(schema_.find_flag("--threshold").empty());
  EXPECT_EQ(catalog.find("cache", "tea").size(), 0u);
}

TEST_F(ItemOptions, OneSettingOfTwoTypesRefusesBoth) {
  add("a", "pipeline", "one", option("height", "int"));
  add("b", "pipeline", "two", option("height", "string"));
  const Catalog catalog = extend();
  EXPECT_TRUE(contains(catalog.items()[0].reason, "the setting request.height means different things: int of one/a ("));
  EXPECT_TRUE(contains(catalog.items()[1].reason, "string of two/b ("));
}

TEST_F(ItemOptions, TheHostsOwnFlagsAndSettingsAreNotForTheTaking) {
  add("a", "pipeline", "one", option("x", "int", "flag = \"--seed\"\n"));
  add("b", "pipeline", "two", option("y", "int", "flag = \"--config\"\n"));
  add("c", "pipeline", "three", option("output_path", "string"));
  const Catalog catalog = extend();
  EXPECT_EQ(catalog.items()[0].reason, "option 'x' takes --seed, which is a flag of fastvideo itself");
  EXPECT_EQ(catalog.items()[1].reason, "option 'y' takes --config, which is a flag of fastvideo itself");
  EXPECT_EQ(catalog.items()[2].reason, "option 'output_path' is the setting request.output_path of the host");
  EXPECT_EQ(schema_.find_flag("--seed").size(), 1u);
}

}  // namespace
}  // namespace fastvideo::host
