// A shared library that plugins are linked with.
extern "C" __attribute__((visibility("default"))) int fake_dependency() { return 1; }
