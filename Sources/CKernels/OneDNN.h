// oneDNN of version 2 or 3, depending on the headers of the build. It is loaded when the first
// kernel is used, so that programs also run without it.

#ifndef TWINFLOW_ONEDNN_H
#define TWINFLOW_ONEDNN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if __has_include(<oneapi/dnnl/dnnl.h>)
#include <oneapi/dnnl/dnnl.h>
#if DNNL_VERSION_MAJOR == 2 || DNNL_VERSION_MAJOR == 3
#define TWINFLOW_ONEDNN 1
#endif
#endif

// Loads the library; false where it is missing.
bool OneDNN_load(void);

#ifdef TWINFLOW_ONEDNN

// The functions used here: of both versions, and of each.
#define ONEDNN_COMMON_FUNCTIONS(each) \
  each(engine_create)                 \
  each(stream_create)                 \
  each(stream_wait)                   \
  each(stream_destroy)                \
  each(memory_create)                 \
  each(memory_destroy)                \
  each(memory_desc_get_size)          \
  each(memory_desc_equal)             \
  each(primitive_attr_create)         \
  each(primitive_attr_destroy)        \
  each(primitive_attr_set_scratchpad_mode) \
  each(primitive_desc_destroy)        \
  each(primitive_desc_query_md)       \
  each(primitive_create)              \
  each(primitive_execute)             \
  each(reorder_primitive_desc_create)

#if DNNL_VERSION_MAJOR == 2
#define ONEDNN_FUNCTIONS(each)        \
  ONEDNN_COMMON_FUNCTIONS(each)       \
  each(memory_desc_init_by_strides)   \
  each(primitive_desc_create)         \
  each(matmul_desc_init)              \
  each(dilated_convolution_forward_desc_init)         \
  each(dilated_convolution_backward_data_desc_init)   \
  each(dilated_convolution_backward_weights_desc_init)
// A description of an array's sizes and strides.
typedef const dnnl_memory_desc_t *Layout;
#else
#define ONEDNN_FUNCTIONS(each)        \
  ONEDNN_COMMON_FUNCTIONS(each)       \
  each(memory_desc_create_with_strides) \
  each(memory_desc_create_with_tag)   \
  each(memory_desc_clone)             \
  each(memory_desc_destroy)           \
  each(matmul_primitive_desc_create)  \
  each(convolution_forward_primitive_desc_create)       \
  each(convolution_backward_data_primitive_desc_create) \
  each(convolution_backward_weights_primitive_desc_create)
// A description of an array's sizes and strides.
typedef const_dnnl_memory_desc_t Layout;
#endif

typedef struct OneDNN {
#define ONEDNN_FIELD(name) __typeof__(&dnnl_##name) name;
  ONEDNN_FUNCTIONS(ONEDNN_FIELD)
#undef ONEDNN_FIELD
  dnnl_engine_t engine;
} OneDNN;

extern OneDNN dnnl;

// A primitive for the parameters in `key`, with its layouts; made once.
typedef struct Primitive {
  dnnl_primitive_t primitive;
  // The layouts of source, weights, destination and scratch memory that the primitive expects.
  Layout source, weights, destination, scratch;
  size_t scratchSize;
  // The reorder of a kernel from our layout to the primitive's, or of a gradient back; often null.
  struct Primitive *reorder;
} Primitive;

// The primitive for a key; `make` is called once per key in a process. Null where it fails. A
// primitive uses only the calling thread, and any number of threads may run it.
const Primitive *OneDNN_primitive(
    const int64_t *key, size_t count, bool (*make)(Primitive *, const int64_t *key));

// An argument of a primitive.
typedef struct Operand {
  int role;
  Layout layout;
  void *data;
} Operand;

// Runs a primitive on the calling thread; false where it fails.
bool OneDNN_run(const Primitive *primitive, const Operand *operands, int count);

// The layout of an f32 array with the given strides, or for null strides the one that the primitive
// prefers. Null where it fails.
Layout OneDNN_layout(int rank, const dnnl_dims_t sizes, const dnnl_dims_t strides);

void OneDNN_destroyLayout(Layout layout);

// Makes the matrix multiplication of the primitive's source and weights.
bool OneDNN_makeMatmul(Primitive *primitive);

enum Mode { FORWARD, INPUT_GRADIENT, KERNEL_GRADIENT };

// The window of a convolution, one number per spatial axis; `gaps` of 0 mean no dilation.
typedef struct Window {
  dnnl_dims_t strides, gaps, low, high;
} Window;

// Makes a convolution, or one of its gradients, from the primitive's source to its destination with
// a kernel of layout `kernel`; sets the primitive's weights to the layout that it expects.
bool OneDNN_makeConvolution(
    Primitive *primitive, enum Mode mode, Layout kernel, const Window *window);

// Makes the reorder of an array from the primitive's source layout to that of its destination.
bool OneDNN_makeReorder(Primitive *primitive);

#endif
#endif
