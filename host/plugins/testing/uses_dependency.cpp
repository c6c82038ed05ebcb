// A sound plugin that is linked with another library.
#define FAKE_FAULT none
#include "host/plugins/testing/fake_plugin.cpp"

extern "C" int fake_dependency();

namespace {
[[gnu::used]] int (*const keep_the_link)() = fake_dependency;
}
