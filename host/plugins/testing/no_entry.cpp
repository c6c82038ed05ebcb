// Exports something, but not the entry.
extern "C" __attribute__((visibility("default"))) int some_other_plugin() { return 1; }
