// STAND_IN is the number of a variant of stand_in.cpp.
int stand_in_variant() { return STAND_IN; }

// The initialiser of an extension module calls a function that only a process with Python has.
extern "C" void* PyModule_Create2(void* definition, int version);
#if STAND_IN == 1
// NOLINTNEXTLINE(bugprone-reserved-identifier): Python derives the name from the module's, _C
extern "C" __attribute__((visibility("default"))) void* PyInit__C() { return PyModule_Create2(nullptr, 3); }
#endif
