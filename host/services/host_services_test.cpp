#include "host/services/host_services.hpp"

#include <gtest/gtest.h>

#include <fastvideo/core.hpp>

#include "host/calls/cancel.hpp"
#include "host/config/test_files.hpp"
#include "host/selection/testing/test_plugins.hpp"
#include "host/services/run_services.hpp"

namespace fastvideo::host {
namespace {

using test::flag;
using test::TestPlugins;

TEST(HostServices, AnswersItsIdsAndNoOther) {
  const TestPlugins plugins;
  HostServices host(plugins.settings, 2);
  const fv_services* services = host.get();
  EXPECT_EQ(services->abi_major, FV_ABI_MAJOR);
  EXPECT_EQ(services->abi_minor, FV_ABI_MINOR);
  EXPECT_EQ(services->host_version, host_version());
  for (const char* id : {FV_LOG_SERVICE, FV_PARALLEL_SERVICE, FV_CONFIGURATION_SERVICE, FV_WORLD_SERVICE})
    EXPECT_NE(services->get(services, id), nullptr) << id;
  for (const char* id : {"", "fastvideo.log/2", "fastvideo.log/1 ", FV_PROGRESS_SERVICE, FV_ATTENTION_SERVICE})
    EXPECT_EQ(services->get(services, id), nullptr) << id;
}

TEST(HostServices, GivesTheResolvedConfiguration) {
  const TestPlugins plugins({flag("attention.backend", "SWIFT"), flag("run.threads", "3")});
  HostServices host(plugins.settings, 3);
  const auto* service = Host(host.get()).service<fv_configuration_service>(FV_CONFIGURATION_SERVICE);
  const fv_value* backend = service->get(service->context, "attention.backend");
  ASSERT_NE(backend, nullptr);
  EXPECT_EQ(backend->type, static_cast<uint32_t>(FV_VALUE_STRING));
  EXPECT_STREQ(backend->as.string, "SWIFT");
  EXPECT_EQ(service->get(service->context, "run.threads")->as.integer, 3);
  EXPECT_EQ(service->get(service->context, "attention.fallback")->type, static_cast<uint32_t>(FV_VALUE_LIST));
  EXPECT_EQ(service->get(service->context, "request.prompt"), nullptr);
  EXPECT_EQ(service->get(service->context, "nothing"), nullptr);
}

TEST(HostServices, AWorldOfOne) {
  const TestPlugins plugins;
  HostServices host(plugins.settings, 1);
  const auto* world = Host(host.get()).service<fv_world_service>(FV_WORLD_SERVICE);
  EXPECT_EQ(world->rank, 0);
  EXPECT_EQ(world->size, 1);
  double values[2] = {1.5, -2};
  TextBuffer text;
  EXPECT_EQ(world->sum(world->context, values, 2, text.get()), FV_OK);
  EXPECT_EQ(values[0], 1.5);
  EXPECT_EQ(world->broadcast(world->context, values, sizeof values, 0, text.get()), FV_OK);
  EXPECT_EQ(world->broadcast(world->context, values, sizeof values, 1, text.get()), FV_FAILED);
  EXPECT_EQ(text.str(), "broadcast from rank 1 of a world of one");
}

TEST(RunServices, AddsThoseOfTheRun) {
  TestPlugins plugins;
  HostServices host(plugins.settings, 1);
  RunProgress progress(nullptr);
  CancelToken cancel;
  SitePlans plans(*plugins.selector, {});
  AttentionService attention(plans);
  const RunServices run(host, progress, cancel, attention, nullptr);
  const fv_services* services = run.get();
  EXPECT_EQ(services->get(services, FV_LOG_SERVICE), host.find(FV_LOG_SERVICE));
  EXPECT_EQ(services->get(services, FV_ATTENTION_SERVICE), attention.service());
  EXPECT_EQ(services->get(services, FV_CACHE_SERVICE), nullptr);  // caching is off
  const auto* service = Host(services).service<fv_progress_service>(FV_PROGRESS_SERVICE);
  ASSERT_NE(service, nullptr);
  service->stage(service->context, "denoise", 4);
  service->step(service->context, 3);
  EXPECT_EQ(progress.position(), "denoise 3/4");
  EXPECT_EQ(service->cancelled(service->context), 0);
  cancel.request();
  EXPECT_NE(service->cancelled(service->context), 0);
}

}  // namespace
}  // namespace fastvideo::host
