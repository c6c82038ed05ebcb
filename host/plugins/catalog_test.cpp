#include "host/plugins/catalog.hpp"

#include <gtest/gtest.h>

#include "host/plugins/testing/plugin_folder.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::manifest_head;
using test::manifest_item;
using test::refusal;

class CatalogTest : public ::testing::Test {
 protected:
  // Writes a manifest with one item under `folder`.
  void add(const std::string& folder, const std::string& id, const std::string& name,
           const std::string& kind = "attention") {
    files_.write(folder + "/plugin.toml", manifest_head(id) + manifest_item(kind, name));
  }
  SearchFolder folder(const std::string& name, const std::string& origin = "test") const {
    return {files_.path() / name, origin, false};
  }
  test::TemporaryFolder files_;
};

std::vector<std::string> listed(const Catalog& catalog) {
  std::vector<std::string> out;
  for (const CatalogItem& one : catalog.items())
    out.push_back(one.item->name + (one.state == ItemState::offered ? "" : " (not offered)"));
  return out;
}

using Names = std::vector<std::string>;

TEST_F(CatalogTest, FindsPluginsInOrder) {
  add("many/b", "b", "B");
  add("many/a", "a", "A");
  add("single", "c", "C");
  files_.write("many/not_a_plugin/readme", "");
  files_.write("many/deep/er/plugin.toml", manifest_head() + manifest_item());
  const Catalog catalog = Catalog::discover({folder("single"), folder("many")});
  EXPECT_EQ(listed(catalog), (Names{"C", "A", "B"})) << "a plugin's own folder; a folder of them, by name, not deeper";
  EXPECT_EQ(catalog.plugins()[0]->origin, "test");
  EXPECT_TRUE(catalog.warnings().empty());
  EXPECT_TRUE(catalog.refused().empty());
}

TEST_F(CatalogTest, OneBadFolderNeverStopsTheOthers) {
  add("p/good", "good", "GOOD");
  files_.write("p/broken/plugin.toml", "manifest = = 1\n");
  files_.write("p/empty/plugin.toml", "");
  std::filesystem::create_directories(files_.path() / "p/folder/plugin.toml");
  const Catalog catalog = Catalog::discover({folder("p")});
  EXPECT_EQ(listed(catalog), Names{"GOOD"});
  ASSERT_EQ(catalog.refused().size(), 3u);
  EXPECT_TRUE(contains(catalog.refused()[0].reason, "broken/plugin.toml:1:"));
  EXPECT_TRUE(contains(catalog.refused()[1].reason, "a manifest begins with"));
  EXPECT_TRUE(contains(catalog.refused()[2].reason, "is a folder; a file is needed here"));
}

TEST_F(CatalogTest, TheFirstOfTwoWinsAndTheOtherIsListed) {
  add("one/x", "same.id", "X");
  add("two/x", "same.id", "X2");
  add("two/y", "other.id", "x");
  const Catalog catalog = Catalog::discover({folder("one"), folder("two")});
  ASSERT_EQ(listed(catalog), (Names{"X", "X2 (not offered)", "x (not offered)"}));
  EXPECT_EQ(catalog.items()[1].state, ItemState::shadowed);
  EXPECT_EQ(catalog.items()[1].reason, "same.id was found before, in " + (files_.path() / "one/x").string());
  EXPECT_EQ(catalog.items()[2].reason, "x/cpu was found before, in " + (files_.path() / "one/x").string());
  EXPECT_EQ(Catalog::discover({folder("one"), folder("one"), folder("one/x")}).items().size(), 1u)
      << "the same folder twice is no duplicate";
}

TEST_F(CatalogTest, FindsByNameInAnyLetterCase) {
  files_.write("p/plugin.toml", manifest_head() + manifest_item("attention", "FLASH", "a") +
                                    manifest_item("attention", "Flash", "b") + manifest_item("cache", "flash", "c") +
                                    manifest_item("upscaler", "flash", "d"));
  const Catalog catalog = Catalog::discover({folder("p")});
  EXPECT_EQ(catalog.find("attention", "flash").size(), 2u);
  ASSERT_EQ(catalog.find("attention", "flash/B").size(), 1u);
  EXPECT_EQ(catalog.find("attention", "flash/B")[0]->item->implementation, "b");
  EXPECT_EQ(catalog.find("attention", "fla").size(), 0u);
  EXPECT_EQ(catalog.find("cache", "FLASH").size(), 1u);
  EXPECT_EQ(catalog.names("attention"), Names{"FLASH"});
  EXPECT_EQ(catalog.items()[3].state, ItemState::unknown_kind);
  EXPECT_EQ(catalog.find("upscaler", "flash").size(), 0u);
}

TEST_F(CatalogTest, PassesOverDisabledPlugins) {
  add("p/a", "a", "SAME");
  add("p/b", "b", "SAME");
  const Catalog catalog = Catalog::discover({folder("p")}, {"a"});
  EXPECT_EQ(catalog.items()[0].state, ItemState::disabled);
  EXPECT_EQ(catalog.items()[1].state, ItemState::offered) << "what is disabled shadows nothing";
}

TEST_F(CatalogTest, SaysWhereNothingIsFound) {
  std::filesystem::create_directories(files_.path() / "empty");
  const Catalog catalog = Catalog::discover(
      {folder("none", "FASTVIDEO_PLUGIN_PATH"), folder("empty", "c.toml:2:1"), folder("empty", "installation")});
  ASSERT_EQ(catalog.warnings().size(), 2u);
  EXPECT_TRUE(contains(catalog.warnings()[0], "FASTVIDEO_PLUGIN_PATH: the folder of plugins"));
  EXPECT_TRUE(contains(catalog.warnings()[1], "c.toml:2:1: "));
  const SearchFolder named{files_.path() / "none", "--plugin-dir", true};
  EXPECT_TRUE(contains(refusal([&] { Catalog::discover({named}); }), "--plugin-dir: the folder of plugins"));
}

TEST_F(CatalogTest, NeverLooksInTheCurrentDirectory) {
  add("here", "here", "HERE");
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(files_.path() / "here");
  const Catalog catalog =
      Catalog::discover(plugin_search_path(resolve(Schema::host(), {}, Unknown::refuse), {"/none"}));
  std::filesystem::current_path(before);
  EXPECT_TRUE(catalog.items().empty());
}

TEST_F(CatalogTest, SearchesFlagThenVariableThenFileThenInstallation) {
  std::filesystem::create_directories(files_.path() / "lib/fastvideo/plugins");
  const Installation installation{files_.path()};
  const Settings settings = resolve(Schema::host(),
                                    {{"plugins.path", Value::List{"/file"}, {Source::Kind::file, "/c.toml", 2, 1}},
                                     {"plugins.path", "/variable", Source::environment("FASTVIDEO_PLUGIN_PATH"), true},
                                     {"plugins.path", "/flag", Source::command_line("--plugin-dir"), true}},
                                    Unknown::refuse);
  const auto folders = plugin_search_path(settings, installation);
  ASSERT_EQ(folders.size(), 4u);
  EXPECT_EQ(folders[0].path, "/flag");
  EXPECT_TRUE(folders[0].must_exist);
  EXPECT_EQ(folders[1].path, "/variable");
  EXPECT_EQ(folders[1].origin, "FASTVIDEO_PLUGIN_PATH");
  EXPECT_FALSE(folders[1].must_exist);
  EXPECT_EQ(folders[2].origin, "/c.toml:2:1");
  EXPECT_EQ(folders[3].path, installation.plugins());
}

}  // namespace
}  // namespace fastvideo::host
