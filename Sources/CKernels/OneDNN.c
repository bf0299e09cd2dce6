#include "OneDNN.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "Call.h"

#ifdef TWINFLOW_ONEDNN

OneDNN dnnl;

static bool loaded;
static void (*setThreads)(int);

// A stream for each thread, destroyed with it.
static pthread_key_t streamKey;

static void endStream(void *stream) { dnnl.stream_destroy(stream); }

static dnnl_stream_t threadStream(void) {
  dnnl_stream_t stream = pthread_getspecific(streamKey);
  if (stream) return stream;
  setThreads(1);
  if (dnnl.stream_create(&stream, dnnl.engine, dnnl_stream_default_flags) != dnnl_success ||
      pthread_setspecific(streamKey, stream) != 0)
    return NULL;
  return stream;
}

static void load(void) {
  char name[32];
  snprintf(name, sizeof name, "libdnnl.so.%d", DNNL_VERSION_MAJOR);
  void *library = dlopen(name, RTLD_NOW | RTLD_LOCAL);
  if (!library) return;
#define ONEDNN_LOOK_UP(name) \
  if (!(dnnl.name = (__typeof__(dnnl.name))dlsym(library, "dnnl_" #name))) return;
  ONEDNN_FUNCTIONS(ONEDNN_LOOK_UP)
#undef ONEDNN_LOOK_UP
  // XLA's threads share the work, so oneDNN must not use threads of its own.
  setThreads = (void (*)(int))dlsym(library, "omp_set_num_threads");
  loaded = setThreads && pthread_key_create(&streamKey, endStream) == 0 &&
      dnnl.engine_create(&dnnl.engine, dnnl_cpu, 0) == dnnl_success;
}

bool OneDNN_load(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, load);
  return loaded;
}

enum { BUCKETS = 1024 };

typedef struct Entry {
  struct Entry *next;
  bool (*make)(Primitive *, const int64_t *key);
  size_t count;
  Primitive primitive;
  bool works;
  int64_t key[];
} Entry;

static Entry *entries[BUCKETS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

const Primitive *OneDNN_primitive(
    const int64_t *key, size_t count, bool (*make)(Primitive *, const int64_t *key)) {
  if (!threadStream()) return NULL;
  uint64_t hash = (uint64_t)(uintptr_t)make;
  for (size_t i = 0; i < count; i++) hash = (hash ^ (uint64_t)key[i]) * 0x9E3779B97F4A7C15u;
  Entry **bucket = &entries[(hash >> 40) % BUCKETS];

  pthread_mutex_lock(&mutex);
  Entry *entry = *bucket;
  while (entry && (entry->make != make || entry->count != count ||
                   memcmp(entry->key, key, count * sizeof *key) != 0))
    entry = entry->next;
  if (!entry && (entry = calloc(1, sizeof *entry + count * sizeof *key))) {
    entry->make = make;
    entry->count = count;
    memcpy(entry->key, key, count * sizeof *key);
    entry->works = make(&entry->primitive, key);
    entry->next = *bucket;
    *bucket = entry;
  }
  pthread_mutex_unlock(&mutex);
  return entry && entry->works ? &entry->primitive : NULL;
}

bool OneDNN_run(const Primitive *primitive, const Operand *operands, int count) {
  dnnl_stream_t stream = threadStream();
  void *scratch = primitive->scratchSize > 0 ? Call_memory(primitive->scratchSize) : NULL;
  if (!stream || (primitive->scratchSize > 0 && !scratch)) return false;
  dnnl_exec_arg_t args[8] = {0};
  dnnl_status_t status = dnnl_success;
  const Operand temporary = {DNNL_ARG_SCRATCHPAD, primitive->scratch, scratch};
  int made = 0, all = count + (primitive->scratchSize > 0);
  for (; made < all && status == dnnl_success; made++) {
    const Operand *each = made < count ? &operands[made] : &temporary;
    args[made].arg = each->role;
    status = dnnl.memory_create(&args[made].memory, each->layout, dnnl.engine, each->data);
  }
  if (status == dnnl_success)
    status = dnnl.primitive_execute(primitive->primitive, stream, made, args);
  if (status == dnnl_success) status = dnnl.stream_wait(stream);
  for (int i = 0; i < made; i++)
    if (args[i].memory) dnnl.memory_destroy(args[i].memory);
  return status == dnnl_success;
}

#else

bool OneDNN_load(void) { return false; }

#endif
