#include "host/plugins/installed_file.hpp"

#include <gtest/gtest.h>

#include "host/config/test_files.hpp"
#include "host/error/error.hpp"

namespace fastvideo::host {
namespace {

constexpr const char* kManifest = R"(
manifest = 1
id = "org.example.one"
version = "1"
abi = "0.1"
[[item]]
kind = "attention"
name = "ONE"
implementation = "a"
library = "libone.so"
  [[item.option]]
  name = "operators"
  type = "string"
  [[item.installed]]
  option = "operators"
  python = "one_package/_C*.so"
  what = "The package"
  install = "pip install one"
)";

class InstalledFiles : public ::testing::Test {
 protected:
  InstalledFiles() : item_(parse_manifest(kManifest, files_.path() / "one" / "plugin.toml").items.front()) {
    files_.write("one/libone.so", "");
    SettingSpec spec;
    spec.path = "attention.ONE.operators";
    spec.option = item_.options.front();
    schema_.add(spec);
    give("libraries.path", Value(Value::List{Value((files_.path() / "site/torch/lib").string())}));
    files_.write("site/torch/lib/libtorch_cpu.so", "");
  }

  void give(const std::string& path, Value value) {
    given_.push_back({path, std::move(value), Source::command_line("--x")});
  }
  Settings settings() const { return resolve(schema_, given_, Unknown::refuse); }
  Environment environment() const {
    return [this](const char* name) { return std::string_view(name) == "PYTHONPATH" ? python_path_.c_str() : nullptr; };
  }
  Value::Table filled() const {
    const Settings all = settings();
    Value::Table values = to_table(all.of_item(item_.settings_prefix(), item_.options));
    fill_in_installed(item_, all, values, environment());
    return values;
  }
  std::string file(const char* name) const { return std::filesystem::canonical(files_.path() / name).string(); }

  test::TemporaryFolder files_;
  Item item_;
  Plugin plugin_{{}, "installation"};
  CatalogItem listed_{&plugin_, &item_, ItemState::offered, ""};
  Schema schema_ = Schema::host();
  std::vector<Given> given_;
  std::string python_path_;
};

TEST_F(InstalledFiles, AreFoundBesideLibTorch) {
  files_.write("site/one_package/_C.abi3.so", "");
  files_.write("site/one_package/_D.so", "");
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()), "");
  ASSERT_EQ(filled().size(), 1U);
  EXPECT_EQ(filled()[0].name, "operators");
  EXPECT_EQ(filled()[0].value.string(), file("site/one_package/_C.abi3.so"));
}

TEST_F(InstalledFiles, PythonPathComesFirst) {
  files_.write("site/one_package/_C.abi3.so", "");
  files_.write("mine/one_package/_C.so", "");
  python_path_ = "/nowhere::" + (files_.path() / "mine").string();
  EXPECT_EQ(filled()[0].value.string(), file("mine/one_package/_C.so"));
}

TEST_F(InstalledFiles, WhatTheUserNamesIsTaken) {
  files_.write("site/one_package/_C.abi3.so", "");
  give("attention.ONE.operators", Value("/somewhere/else.so"));
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()), "");
  EXPECT_EQ(filled()[0].value.string(), "/somewhere/else.so");
}

TEST_F(InstalledFiles, WhatIsMissingIsSaidWithTheCommand) {
  files_.write("site/one_package/_Cx.txt", "");
  EXPECT_TRUE(filled().empty());
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()),
            "The package is not installed: no one_package/_C*.so in " + file("site") +
                "; pip install one, or name the file: [attention.ONE] operators");
  given_.clear();
  EXPECT_EQ(
      what_is_missing(listed_, settings(), environment()),
      "The package is not installed: no one_package/_C*.so in PYTHONPATH, nor a LibTorch in [libraries] path; pip "
      "install one, or name the file: [attention.ONE] operators");
}

TEST_F(InstalledFiles, ALibraryThatWasNotBuiltIsMissing) {
  files_.write("site/one_package/_C.abi3.so", "");
  std::filesystem::remove(item_.library);
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()),
            "its library is not there: " + item_.library.string() +
                "; it was not built (./dev build builds all that this machine can) or not copied");
  plugin_.origin = "--plugin-dir";
  const std::string copy = "; copy the plugin's folder anew, with its libraries, or get them from the plugin's author";
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()),
            "its library is not there: " + item_.library.string() + copy);
  std::filesystem::create_symlink("../gone.so", item_.library);
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()),
            "its library " + item_.library.string() + " is a link to ../gone.so, that is " +
                (item_.library.parent_path() / "../gone.so").string() + ", which is not there" + copy);
  std::filesystem::remove(item_.library);
  std::filesystem::create_symlink(item_.library, item_.library);
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()),
            "its library " + item_.library.string() + " is a link that leads back to itself" + copy);
}

TEST_F(InstalledFiles, ALibraryThatItNeedsIsMissing) {
  files_.write("site/one_package/_C.abi3.so", "");
  item_.needs.libraries = {"libother.so"};
  const std::string lib = (files_.path() / "site/torch/lib").string();
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()),
            "needs libother.so, which is in no folder of [libraries] path (" + lib + "); add the folder that holds it");
  files_.write("site/torch/lib/libother.so", "");
  EXPECT_EQ(what_is_missing(listed_, settings(), environment()), "");
  item_.needs.torch = "2.11";
  std::filesystem::remove(files_.path() / "site/torch/lib/libtorch_cpu.so");
  EXPECT_TRUE(what_is_missing(listed_, settings(), environment()).starts_with("needs libtorch_cpu.so, which is in no"));
}

TEST_F(InstalledFiles, BadDescriptionsAreRefused) {
  const auto refusal = [](const std::string& from, const std::string& to) -> std::string {
    std::string text = kManifest;
    text.replace(text.find(from), from.size(), to);
    try {
      (void)parse_manifest(text, "plugin.toml");
    } catch (const RequestError& e) {
      return e.what();
    }
    return "accepted";
  };
  for (const char* bad : {"/usr/lib/_C.so", "../_C.so", "a*/_C.so", "a/_C*.s*o", "a/"})
    EXPECT_NE(refusal("one_package/_C*.so", bad).find("is no file below a folder of Python packages"),
              std::string::npos)
        << bad;
  EXPECT_NE(refusal("option = \"operators\"", "option = \"others\"").find("which ONE/a does not have"),
            std::string::npos);
  EXPECT_NE(refusal("type = \"string\"", "type = \"int\"").find("it is a string without choices"), std::string::npos);
}

}  // namespace
}  // namespace fastvideo::host
