// oneDNN, looked up when the first kernel is asked for, so that a program runs without it too.

#ifndef TWINFLOW_ONEDNN_H
#define TWINFLOW_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __has_include(<oneapi/dnnl/dnnl.h>)
#include <oneapi/dnnl/dnnl.h>
#if DNNL_VERSION_MAJOR == 2
#define TWINFLOW_ONEDNN 1
#endif
#endif

// Whether the library is there.
bool OneDNN_load(void);

#ifdef TWINFLOW_ONEDNN

// The functions that are used here.
#define ONEDNN_FUNCTIONS(each)        \
  each(engine_create)                 \
  each(stream_create)                 \
  each(stream_wait)                   \
  each(stream_destroy)                \
  each(memory_create)                 \
  each(memory_destroy)                \
  each(memory_desc_init_by_strides)   \
  each(memory_desc_get_size)          \
  each(memory_desc_equal)             \
  each(primitive_attr_create)         \
  each(primitive_attr_destroy)        \
  each(primitive_attr_set_scratchpad_mode) \
  each(primitive_desc_create)         \
  each(primitive_desc_destroy)        \
  each(primitive_desc_query_md)       \
  each(primitive_create)              \
  each(primitive_execute)             \
  each(matmul_desc_init)              \
  each(reorder_primitive_desc_create) \
  each(dilated_convolution_forward_desc_init)         \
  each(dilated_convolution_backward_data_desc_init)   \
  each(dilated_convolution_backward_weights_desc_init)

typedef struct OneDNN {
#define ONEDNN_FIELD(name) __typeof__(&dnnl_##name) name;
  ONEDNN_FUNCTIONS(ONEDNN_FIELD)
#undef ONEDNN_FIELD
  dnnl_engine_t engine;
} OneDNN;

extern OneDNN dnnl;

// A primitive that was made once for what `key` says, with its layouts.
typedef struct Primitive {
  dnnl_primitive_t primitive;
  // Of the source, the weights, the destination and the scratch memory, as the primitive wants them.
  dnnl_memory_desc_t source, weights, destination, scratch;
  size_t scratchSize;
  // What brings a kernel from our layout into the primitive's, or a gradient back; often null.
  struct Primitive *reorder;
} Primitive;

// The primitive of a key of numbers; `make` is called once in a process for each. Null where it
// fails. A primitive uses the calling thread only, and any number of threads may run it.
const Primitive *OneDNN_primitive(
    const int64_t *key, size_t count, bool (*make)(Primitive *, const int64_t *key));

// An argument of a primitive.
typedef struct Operand {
  int role;
  const dnnl_memory_desc_t *layout;
  void *data;
} Operand;

// Runs a primitive on the calling thread; false where it fails.
bool OneDNN_run(const Primitive *primitive, const Operand *operands, int count);

// Attributes that say that the caller brings the scratch memory.
dnnl_primitive_attr_t OneDNN_attributes(void);

// Makes the primitive of a description and asks for its scratch memory; the description goes.
bool OneDNN_finish(Primitive *primitive, dnnl_primitive_desc_t description);

#endif
#endif
