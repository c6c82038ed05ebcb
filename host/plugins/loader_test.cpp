#include "host/plugins/loader.hpp"

#include <fastvideo/attention.h>
#include <gtest/gtest.h>

#include "host/plugins/loaded_libraries.hpp"
#include "host/plugins/testing/plugin_folder.hpp"

namespace fastvideo::host {
namespace {

namespace fs = std::filesystem;
using test::contains;
using test::manifest_head;
using test::manifest_item;
using test::refusal;

const fv_services services = {sizeof(fv_services), FV_ABI_MAJOR, FV_ABI_MINOR, "9.9-test",
                              [](const fv_services*, const char*) -> const void* { return nullptr; }};

// A plugin folder around one of the fake libraries, and a loader.
class LoaderTest : public ::testing::Test {
 protected:
  const CatalogItem& plugin(const std::string& fake, const std::string& more = "") {
    // A folder of its own each time: a library that is open must not be written over.
    const fs::path folder = "plugin" + std::to_string(++count_);
    files_.write(folder / "plugin.toml", manifest_head() + manifest_item() + more);
    fs::copy_file(fs::path(FAKE_PLUGINS) / (fake + ".so"), files_.path() / folder / "libfake.so");
    catalog_ = Catalog::discover({{files_.path() / folder, "test", true}});
    return catalog_.items().at(0);
  }
  Loader loader(std::vector<fs::path> library_path = {}, bool cuda = false) const {
    return Loader(std::move(library_path), &services, cuda);
  }
  // Why the plugin is refused, without the name of its library.
  std::string refused(const CatalogItem& item, Loader loader) const {
    const std::string message = refusal([&] { loader.load(item); });
    EXPECT_TRUE(contains(message, item.item->library.string() + ": "));
    return message.substr(std::min(message.size(), item.item->library.string().size() + 2));
  }
  std::string refused(const std::string& fake) { return refused(plugin(fake), loader()); }

  test::TemporaryFolder files_;
  Catalog catalog_;
  int count_ = 0;
};

const fs::path torch_lib = FAKE_PLUGINS "/torch/lib";
const char* const needs_torch = "needs.torch = \"2.11\"\n";

TEST_F(LoaderTest, OpensASoundPluginOnce) {
  Loader loader = this->loader();
  const CatalogItem& item = plugin("none");
  const LoadedItem first = loader.load(item);
  EXPECT_STREQ(first.code->implementation, item.item->implementation.c_str());
  EXPECT_STREQ(first.code->name, "FAKE");
  EXPECT_NE(first.interface<fv_attention_interface>()->run, nullptr);
  const LoadedItem second = loader.load(item);
  EXPECT_EQ(second.table, first.table);
  EXPECT_EQ(loader.opened(), std::vector<fs::path>{item.item->library});
}

TEST_F(LoaderTest, RefusesFilesThatAreNoPlugins) {
  plugin("none");
  fs::remove(catalog_.items()[0].item->library);
  Loader loader = this->loader();
  EXPECT_EQ(refusal([&] { loader.load(catalog_.items()[0]); }),
            "FAKE/cpu cannot be used: its library is not there: " + catalog_.items()[0].item->library.string() +
                "; copy the plugin's folder anew, with its libraries, or get them from the plugin's author");
  EXPECT_TRUE(contains(refused("no_entry"), "exports no fastvideo_plugin"));
  EXPECT_TRUE(contains(refused("extra_export"), "exports 1 symbols beside fastvideo_plugin ('helper_that_clashes')"));
}

TEST_F(LoaderTest, RefusesAnotherAbi) {
  EXPECT_EQ(
      refused("wrong_abi"),
      "built for plugin ABI 0.2, this host takes exactly 0.1; get the plugin's version for ABI 0.1 from its author");
  EXPECT_TRUE(contains(refused("small_struct"),
                       "fv_plugin has 16 bytes, ABI 0.1 needs 40; get the plugin's version for ABI 0.1"));
}

TEST_F(LoaderTest, RefusesCodeThatDisagreesWithItsManifest) {
  EXPECT_EQ(refused("wrong_id"),
            "its manifest says id 'org.example.fake', its code 'org.example.other'; install the plugin anew, its files "
            "are of different builds (for its author: rebuild it, so that code and plugin.toml agree)");
  EXPECT_TRUE(contains(refused("no_version"), "its manifest says version '1.0.0', its code nothing (NULL)"));
  EXPECT_TRUE(
      contains(refused("missing_item"), "its manifest lists attention FAKE/cpu, which its code does not offer"));
  EXPECT_TRUE(contains(refused("other_item"), "its code offers attention OTHER/cpu, which the manifest does not list"));
  EXPECT_TRUE(contains(refused("null_item"), "item 0 of its code is incomplete"));
}

TEST_F(LoaderTest, StopsWhatTheEntryThrows) {
  EXPECT_TRUE(contains(refused("throws"), "its entry threw across the ABI: thrown on purpose"));
  EXPECT_TRUE(contains(refused("throws_int"), "its entry threw across the ABI; report this"));
  EXPECT_TRUE(contains(refused("table_throws"), "FAKE/cpu: get_interface threw an exception"));
}

TEST_F(LoaderTest, PassesOnWhyAPluginDeclines) {
  EXPECT_EQ(refused("declines"), "the plugin declines: not for host 9.9-test") << "and the plugin was given the host";
  EXPECT_EQ(refused("declines_silently"), "the plugin declines: it gives no reason");
}

TEST_F(LoaderTest, RefusesIncompleteTables) {
  EXPECT_TRUE(contains(refused("no_table"), "FAKE/cpu is listed but offers no fastvideo.attention/1"));
  EXPECT_TRUE(contains(refused("small_table"), "fastvideo.attention/1 has 8 bytes, this ABI needs 64"));
  EXPECT_TRUE(contains(refused("no_run"), "fastvideo.attention/1 has no function 'run'"));
}

TEST_F(LoaderTest, RefusesItemsThatAreNotOffered) {
  CatalogItem item = plugin("none");
  item.state = ItemState::shadowed;
  item.reason = "because";
  Loader loader = this->loader();
  EXPECT_EQ(refusal([&] { loader.load(item); }), "FAKE/cpu cannot be used: because");
}

TEST_F(LoaderTest, SaysWhatTheLinkerSaysAndWhatToDo) {
  const std::string undefined = refused("undefined_symbol");
  EXPECT_TRUE(contains(undefined, "cannot be opened: "));
  EXPECT_TRUE(contains(undefined, "undefined symbol: _ZN3c10"));
  EXPECT_TRUE(contains(undefined, "built for another LibTorch, get its version for this one from its author"));
  const std::string missing = refused("uses_fake_dependency");
  EXPECT_TRUE(contains(missing, "libfake_dependency.so: cannot open shared object file"));
  EXPECT_TRUE(contains(missing, "list that library under needs.libraries"));
}

TEST_F(LoaderTest, OpensNeededLibrariesFirstAndByFullPath) {
  const fs::path folder = FAKE_PLUGINS "/libraries";
  const CatalogItem& item = plugin("uses_fake_dependency", "needs.libraries = [\"libfake_dependency.so\"]\n");
  EXPECT_EQ(refused(item, loader()),
            "needs libfake_dependency.so, which is in no folder of [libraries] path (it is empty); add the folder that "
            "holds it");
  EXPECT_TRUE(contains(refused(item, loader({"/none", "/nor_here"})), "[libraries] path (/none, /nor_here)"));
  Loader with_path = loader({"/none", folder});
  with_path.load(item);
  EXPECT_EQ(with_path.opened(), (std::vector<fs::path>{folder / "libfake_dependency.so", item.item->library}));

  // Another library of the name: glibc would open it beside the first and give plugins the first.
  fs::create_directories(files_.path() / "copy");
  fs::copy_file(folder / "libfake_dependency.so", files_.path() / "copy/libfake_dependency.so");
  EXPECT_TRUE(contains(refused(item, loader({files_.path() / "copy"})),
                       "but this process already uses " + (folder / "libfake_dependency.so").string()));
}

TEST_F(LoaderTest, OpensLibTorchBeforeThePlugin) {
  const CatalogItem& item = plugin("uses_torch_cpu", needs_torch);
  Loader on_cpu = loader({torch_lib});
  on_cpu.load(item);
  EXPECT_EQ(on_cpu.opened(), (std::vector<fs::path>{torch_lib / "libtorch_cpu.so", item.item->library}));
  Loader on_cuda = loader({torch_lib}, true);
  on_cuda.load(item);
  EXPECT_EQ(on_cuda.opened(),
            (std::vector<fs::path>{torch_lib / "libtorch_cpu.so", torch_lib / "libtorch_cuda.so", item.item->library}));
}

TEST_F(LoaderTest, OpensNoLibTorchForWhoNeedsNone) {
  const bool before = loaded_library("libtorch_cpu.so").has_value();
  loader({torch_lib}).load(plugin("none"));
  EXPECT_EQ(loaded_library("libtorch_cpu.so").has_value(), before);
}

TEST_F(LoaderTest, RefusesAnotherLibTorch) {
  const CatalogItem& item = plugin("uses_torch_cpu", "needs.torch = \"2.10\"\n");
  EXPECT_EQ(refused(item, loader({torch_lib})),
            "built for LibTorch 2.10, [libraries] path has 2.11 in " + torch_lib.string() +
                "; get its version for that one from its author, or point [libraries] path at LibTorch 2.10");
  EXPECT_TRUE(contains(refused(item, loader()), "needs libtorch_cpu.so, which is in no folder"));
}

TEST_F(LoaderTest, RefusesASecondLibTorchInOneProcess) {
  Loader loader = this->loader({torch_lib});
  loader.load(plugin("uses_torch_cpu", needs_torch));
  const Catalog first = std::move(catalog_);
  const CatalogItem& other = plugin("uses_torch_cpu", "needs.torch = \"2.12\"\n");
  EXPECT_TRUE(contains(refused(other, loader), "built for LibTorch 2.12, this process uses 2.11"));
}

TEST_F(LoaderTest, ReadsTheVersionOfAZipArchiveToo) {
  fs::create_directories(files_.path() / "torch/lib");
  fs::copy_file(torch_lib / "libtorch_cpu.so", files_.path() / "torch/lib/libtorch_cpu.so");
  const CatalogItem& item = plugin("uses_torch_cpu", needs_torch);
  const auto refused_here = [&] { return refusal([&] { loader({files_.path() / "torch/lib"}).load(item); }); };
  EXPECT_TRUE(contains(refused_here(), "neither version.py nor build-version"));
  files_.write("torch/build-version", "2.9.1+cpu\n");
  EXPECT_TRUE(contains(refused_here(), "[libraries] path has 2.9 in"));
  files_.write("torch/build-version", "unknown\n");
  EXPECT_TRUE(contains(refused_here(), "states no version of LibTorch"));
}

TEST_F(LoaderTest, RefusesAFrameworkThatTheManifestHides) {
  EXPECT_TRUE(
      contains(refused("uses_torch_cpu"), "is linked with libtorch_cpu.so, but its manifest names no LibTorch"));
}

}  // namespace
}  // namespace fastvideo::host
