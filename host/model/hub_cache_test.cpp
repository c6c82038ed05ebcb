#include "host/model/hub_cache.hpp"

#include <map>

#include "host/config/test_files.hpp"

namespace fastvideo::host {
namespace {

using test::contains;
using test::refusal;

TEST(HubCache, KnowsNamesOfRepositories) {
  for (const char* name : {"Wan-AI/Wan2.1-T2V-1.3B-Diffusers", "a/b", "a_b/c.d"})
    EXPECT_TRUE(is_repository_name(name)) << name;
  for (const char* name : {"", "a", "a/", "/a", "a/b/c", "../a", "a/..", "./a", "a b/c", "a/b\n"})
    EXPECT_FALSE(is_repository_name(name)) << name;
}

TEST(HubCache, LiesWhereTheVariablesSay) {
  std::map<std::string, std::string> set{{"HOME", "/h"}};
  const Environment environment = [&](const char* name) { return set.count(name) ? set.at(name).c_str() : nullptr; };
  EXPECT_EQ(hub_cache_folder(environment), "/h/.cache/huggingface/hub");
  set["XDG_CACHE_HOME"] = "/x";
  EXPECT_EQ(hub_cache_folder(environment), "/x/huggingface/hub");
  set["HF_HOME"] = "/f";
  EXPECT_EQ(hub_cache_folder(environment), "/f/hub");
  set["HUGGINGFACE_HUB_CACHE"] = "~/g/$HF_HOME/${XDG_CACHE_HOME}/$NONE/${NONE}$";
  EXPECT_EQ(hub_cache_folder(environment), "/h/g//f//x/$NONE/${NONE}$");
  set["HF_HUB_CACHE"] = "/c";
  EXPECT_EQ(hub_cache_folder(environment), "/c");
}

class Snapshot : public ::testing::Test {
 protected:
  std::filesystem::path find() const { return downloaded_snapshot("o/n", folder_.path()); }
  std::filesystem::path add(const std::string& commit) {
    return folder_.write("models--o--n/snapshots/" + commit + "/model_index.json", "{}").parent_path();
  }
  void main_is(const std::string& commit) { folder_.write("models--o--n/refs/main", commit); }

  test::TemporaryFolder folder_;
};

TEST_F(Snapshot, IsThatOfMain) {
  const auto old = add("aaa");
  add("bbb");
  main_is("aaa\n");
  EXPECT_EQ(find(), std::filesystem::canonical(old));
}

TEST_F(Snapshot, TheOnlyOneNeedsNoName) {
  const auto only = add("aaa");
  EXPECT_EQ(find(), std::filesystem::canonical(only));
}

TEST_F(Snapshot, WhatIsMissingIsRefusedWithTheCommand) {
  const auto refused = [&] { return refusal([&] { static_cast<void>(find()); }); };
  EXPECT_TRUE(contains(refused(), "holds no model of that name; download it with: hf download o/n"));
  add("aaa");
  const auto other = add("bbb");
  EXPECT_TRUE(contains(refused(), "holds 2 revisions of o/n, and none of them is main"));
  main_is("../../../../etc");
  EXPECT_TRUE(contains(refused(), "none of them is main"));
  main_is("ccc");
  EXPECT_TRUE(contains(refused(), "/snapshots/ccc, the download of o/n, has no model_index.json"));
  main_is("bbb");
  EXPECT_EQ(find(), std::filesystem::canonical(other));
  std::filesystem::remove(other / "model_index.json");
  EXPECT_TRUE(contains(refused(), "it is not complete, or no model in diffusers format; download it with"));
}

}  // namespace
}  // namespace fastvideo::host
