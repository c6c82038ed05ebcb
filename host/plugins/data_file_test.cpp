#include <gtest/gtest.h>

#include "host/plugins/manifest.hpp"
#include "host/plugins/testing/plugin_folder.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

class DataFiles : public ::testing::Test {
 protected:
  Value::Table read(const std::string& name, const std::string& text) const {
    Item item;
    item.data = {{"data", folder_.write(name, text)}};
    return read_data(item);
  }
  std::string refused(const std::string& name, const std::string& text) const {
    return refusal([&] { read(name, text); });
  }
  test::TemporaryFolder folder_;
};

TEST_F(DataFiles, JsonAndTomlMeanTheSame) {
  const Value::Table wanted = {{"data", Value::Table{{"z", 1}, {"list", Value::List{1.5, true, "x"}}, {"a", -2}}}};
  EXPECT_EQ(read("d.json", R"({"z": 1, "list": [1.5, true, "x"], "a": -2})"), wanted);
  EXPECT_EQ(read("d.toml", "z = 1\nlist = [1.5, true, \"x\"]\na = -2\n"), wanted);
  EXPECT_EQ(read("n.json", "null"), (Value::Table{{"data", Value()}}));
}

TEST_F(DataFiles, TheUsersFileIsReadIfAnOptionNamesIt) {
  Item item;
  item.kind = "cache";
  item.name = "some";
  item.data = {{"shipped", folder_.write("shipped.toml", "a = 1")}, {"own", {}, "own_file"}};
  const std::string own = folder_.write("own.toml", "a = 2").string();
  EXPECT_EQ(read_data(item), (Value::Table{{"shipped", Value::Table{{"a", 1}}}}));
  EXPECT_EQ(read_data(item, {{"own_file", own}}),
            (Value::Table{{"shipped", Value::Table{{"a", 1}}}, {"own", Value::Table{{"a", 2}}}}));
  EXPECT_TRUE(contains(refusal([&] {
                         read_data(item, {{"own_file", "rows.txt"}});
                       }),
                       "cache.some.own_file: 'rows.txt' is neither .json nor .toml"));
  EXPECT_TRUE(contains(refusal([&] { read_data(item, {{"own_file", own + ".toml"}}); }), "cannot be read: No such"));
}

TEST_F(DataFiles, RefusesWithTheFile) {
  EXPECT_TRUE(contains(refused("d.json", "{\"a\": }"), "d.json:1:7: is not JSON"));
  EXPECT_TRUE(contains(refused("d.json", "[18446744073709551615]"), "18446744073709551615 is above the largest int"));
  EXPECT_TRUE(contains(refused("d.json", "[\"a\\u0000b\"]"), "NUL"));
  EXPECT_TRUE(contains(refused("d.json", "{\"a\\u0000b\": 1}"), "NUL"));
  EXPECT_TRUE(contains(refused("d.json", "{\"a\": 1, \"b\": 2, \"a\": 3}"), "'a' occurs twice"));
  EXPECT_TRUE(contains(refused("d.json", std::string(100000, '[')), "nested more than 64 deep"));
  EXPECT_TRUE(contains(refused("d.json", std::string(65, '[') + std::string(65, ']')), "nested more than 64 deep"));
  EXPECT_EQ(read("deep.json", std::string(64, '[') + std::string(64, ']')).size(), 1u);
  EXPECT_TRUE(contains(refused("d.json", "\"\xff\""), "d.json:1:2: is not JSON"));
  EXPECT_TRUE(contains(refused("d.toml", "a = "), "d.toml:1:"));
  Item item;
  item.data = {{"data", folder_.path() / "none.json"}};
  EXPECT_TRUE(contains(refusal([&] { read_data(item); }), "none.json: cannot be read: No such file"));
}

}  // namespace
}  // namespace fastvideo::host
