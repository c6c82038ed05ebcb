// Names of Python that the initialiser of an extension module mentions. It is never called in a process without Python.
extern "C" __attribute__((visibility("default"))) void* PyModule_Create2(void* /*definition*/, int /*version*/) {
  return nullptr;
}
