/* Preloaded, stands before the CUDA runtime's functions that make a thread wait, counts the calls and passes them on.
 * At the end the counts go to the file that FASTVIDEO_WAITS_FILE names, a line each. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static atomic_long stream_waits, event_waits, device_waits, copies;

/* The runtime is opened by the program, out of the sight of RTLD_NEXT. Without one there is nothing to wait for. */
static void* real(const char* name) {
  static const char* const runtimes[] = {"libcudart.so.13", "libcudart.so.12"};
  for (size_t i = 0; i < sizeof(runtimes) / sizeof(runtimes[0]); ++i) {
    void* runtime = dlopen(runtimes[i], RTLD_LAZY | RTLD_NOLOAD);
    if (runtime == NULL) continue;
    void* function = dlsym(runtime, name);
    dlclose(runtime);
    if (function != NULL) return function;
  }
  return NULL;
}

int cudaStreamSynchronize(void* stream) {
  atomic_fetch_add(&stream_waits, 1);
  int (*call)(void*) = (int (*)(void*))real("cudaStreamSynchronize");
  return call == NULL ? 0 : call(stream);
}

int cudaEventSynchronize(void* event) {
  atomic_fetch_add(&event_waits, 1);
  int (*call)(void*) = (int (*)(void*))real("cudaEventSynchronize");
  return call == NULL ? 0 : call(event);
}

int cudaDeviceSynchronize(void) {
  atomic_fetch_add(&device_waits, 1);
  int (*call)(void) = (int (*)(void))real("cudaDeviceSynchronize");
  return call == NULL ? 0 : call();
}

/* A copy that is not asynchronous waits, too. */
int cudaMemcpy(void* to, const void* from, size_t bytes, int kind) {
  atomic_fetch_add(&copies, 1);
  int (*call)(void*, const void*, size_t, int) = (int (*)(void*, const void*, size_t, int))real("cudaMemcpy");
  return call == NULL ? 0 : call(to, from, bytes, kind);
}

__attribute__((destructor)) static void write_counts(void) {
  const char* name = getenv("FASTVIDEO_WAITS_FILE");
  FILE* file = name == NULL ? NULL : fopen(name, "w");
  if (file == NULL) return;
  fprintf(file, "stream %ld\nevent %ld\ndevice %ld\ncopy %ld\n", stream_waits, event_waits, device_waits, copies);
  fclose(file);
}
