#include "Call.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

bool Call_isQuestion(XLA_FFI_Frame *frame) {
  for (XLA_FFI_Extension *each = frame->extensions; each; each = each->next) {
    if (each->type != XLA_FFI_EXTENSION_METADATA) continue;
    XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)each)->metadata;
    metadata->version.major = 0;
    metadata->version.minor = 3;
    metadata->traits = 0;
    return true;
  }
  return frame->stage != XLA_FFI_STAGE_EXECUTE;
}

XLA_FFI_Error *Call_error(XLA_FFI_Frame *frame, const char *message) {
  XLA_FFI_Error_Create_Args args = {
      .struct_size = sizeof args, .message = message, .code = XLA_FFI_INTERNAL};
  return frame->api->Error_Create(&args);
}

bool Call_takes(XLA_FFI_Frame *frame, int64_t arguments, int64_t results) {
  if (frame->arguments.size != arguments || frame->results.size != results) return false;
  for (int64_t i = 0; i < arguments; i++)
    if (frame->arguments.buffers[i]->dtype != XLA_FFI_F32) return false;
  for (int64_t i = 0; i < results; i++)
    if (frame->results.buffers[i]->dtype != XLA_FFI_F32) return false;
  return true;
}

static const void *find(XLA_FFI_Frame *frame, const char *name, int32_t kind) {
  const XLA_FFI_Attributes *all = &frame->attributes;
  for (int64_t i = 0; i < all->size; i++) {
    const XLA_FFI_Text *text = all->names[i];
    if (all->kinds[i] == kind && text->size == strlen(name) &&
        memcmp(text->start, name, text->size) == 0)
      return all->values[i];
  }
  return NULL;
}

bool Call_numbers(XLA_FFI_Frame *frame, const char *name, int64_t count, int64_t *values) {
  const XLA_FFI_Array *array = find(frame, name, XLA_FFI_ATTRIBUTE_ARRAY);
  if (!array || array->dtype != XLA_FFI_S64 || array->size != (size_t)count) return false;
  memcpy(values, array->data, count * sizeof *values);
  return true;
}

bool Call_float(XLA_FFI_Frame *frame, const char *name, float *value) {
  const XLA_FFI_Scalar *scalar = find(frame, name, XLA_FFI_ATTRIBUTE_SCALAR);
  if (!scalar || scalar->dtype != XLA_FFI_F32) return false;
  memcpy(value, scalar->value, sizeof *value);
  return true;
}

// Freed when its thread ends.
typedef struct Memory {
  size_t size;
  void *start;
} Memory;

static pthread_key_t memoryKey;

static void freeMemory(void *memory) {
  free(((Memory *)memory)->start);
  free(memory);
}

static void makeMemoryKey(void) { pthread_key_create(&memoryKey, freeMemory); }

void *Call_memory(size_t size) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, makeMemoryKey);
  Memory *memory = pthread_getspecific(memoryKey);
  if (!memory) {
    memory = calloc(1, sizeof *memory);
    if (!memory || pthread_setspecific(memoryKey, memory) != 0) return NULL;
  }
  if (size > memory->size) {
    free(memory->start);
    size = (size + 4095) & ~(size_t)4095;
    memory->start = aligned_alloc(4096, size);
    memory->size = memory->start ? size : 0;
  }
  return memory->start;
}

// Older plugins do not provide a thread pool.
static bool hasPool(const XLA_FFI_Frame *frame) {
  return frame->api->struct_size >= sizeof(XLA_FFI_Api) && frame->context;
}

int64_t Call_threads(XLA_FFI_Frame *frame) {
  if (!hasPool(frame)) return 1;
  int64_t count = 1;
  XLA_FFI_ThreadPool_NumThreads_Args args = {
      .struct_size = sizeof args, .context = frame->context, .count = &count};
  if (frame->api->ThreadPool_NumThreads(&args)) return 1;
  return count < 1 ? 1 : count;
}

typedef struct Job {
  void (*body)(void *context, int64_t index);
  void *context;
  int64_t count;
  atomic_int_fast64_t next, done;
  // The number of threads that may still access the job; the last one frees it.
  atomic_int holders;
  pthread_mutex_t mutex;
  pthread_cond_t finished;
} Job;

static void work(Job *job) {
  int64_t mine = 0, index;
  while ((index = atomic_fetch_add(&job->next, 1)) < job->count) {
    job->body(job->context, index);
    mine++;
  }
  if (mine && atomic_fetch_add(&job->done, mine) + mine == job->count) {
    pthread_mutex_lock(&job->mutex);
    pthread_cond_broadcast(&job->finished);
    pthread_mutex_unlock(&job->mutex);
  }
}

static void leave(Job *job) {
  if (atomic_fetch_sub(&job->holders, 1) != 1) return;
  pthread_mutex_destroy(&job->mutex);
  pthread_cond_destroy(&job->finished);
  free(job);
}

// A thread that starts late finds no work; the caller does not wait for threads that have not
// started.
static void help(void *data) {
  work(data);
  leave(data);
}

void Call_parallel(
    XLA_FFI_Frame *frame, int64_t count, void (*body)(void *context, int64_t index),
    void *context) {
  int64_t helpers = Call_threads(frame) - 1;
  if (helpers > count - 1) helpers = count - 1;
  Job *job = helpers > 0 ? malloc(sizeof *job) : NULL;
  if (!job) {
    for (int64_t i = 0; i < count; i++) body(context, i);
    return;
  }
  *job = (Job){.body = body, .context = context, .count = count};
  atomic_init(&job->holders, (int)helpers + 1);
  pthread_mutex_init(&job->mutex, NULL);
  pthread_cond_init(&job->finished, NULL);
  for (int64_t i = 0; i < helpers; i++) {
    XLA_FFI_ThreadPool_Schedule_Args args = {
        .struct_size = sizeof args, .context = frame->context, .task = help, .data = job};
    if (frame->api->ThreadPool_Schedule(&args)) leave(job);
  }
  work(job);
  pthread_mutex_lock(&job->mutex);
  while (atomic_load(&job->done) < count) pthread_cond_wait(&job->finished, &job->mutex);
  pthread_mutex_unlock(&job->mutex);
  leave(job);
}
