// Creation of primitives, which takes one call in version 3 of oneDNN and two in version 2.

#include <stdlib.h>

#include "OneDNN.h"

#ifdef TWINFLOW_ONEDNN

// Attributes by which the caller provides the scratch memory.
static dnnl_primitive_attr_t makeAttributes(void) {
  dnnl_primitive_attr_t attributes = NULL;
  if (dnnl.primitive_attr_create(&attributes) != dnnl_success) return NULL;
  dnnl.primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user);
  return attributes;
}

#if DNNL_VERSION_MAJOR == 2

static Layout copy(Layout layout) {
  dnnl_memory_desc_t *result = layout ? malloc(sizeof *result) : NULL;
  if (result) *result = *layout;
  return result;
}

void OneDNN_destroyLayout(Layout layout) { free((void *)layout); }

Layout OneDNN_layout(int rank, const dnnl_dims_t sizes, const dnnl_dims_t strides) {
  dnnl_memory_desc_t layout;
  if (dnnl.memory_desc_init_by_strides(&layout, rank, sizes, dnnl_f32, strides) != dnnl_success)
    return NULL;
  if (!strides) layout.format_kind = dnnl_format_kind_any;
  return copy(&layout);
}

// The description of an operation; null where it fails.
static dnnl_primitive_desc_t describe(const void *operation, const_dnnl_primitive_desc_t hint) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attributes = makeAttributes();
  dnnl.primitive_desc_create(&description, operation, attributes, dnnl.engine, hint);
  dnnl.primitive_attr_destroy(attributes);
  return description;
}

static dnnl_primitive_desc_t describeMatmul(const Primitive *primitive) {
  dnnl_matmul_desc_t operation;
  dnnl_status_t status = dnnl.matmul_desc_init(
      &operation, primitive->source, primitive->weights, NULL, primitive->destination);
  return status == dnnl_success ? describe(&operation, NULL) : NULL;
}

static dnnl_primitive_desc_t describeConvolution(
    const Primitive *primitive, enum Mode mode, Layout kernel, const Window *window,
    const_dnnl_primitive_desc_t forward) {
  Layout source = primitive->source, destination = primitive->destination;
  const int64_t *strides = window->strides, *gaps = window->gaps;
  const int64_t *low = window->low, *high = window->high;
  dnnl_convolution_desc_t operation;
  dnnl_status_t status = dnnl_success;
  switch (mode) {
    case FORWARD:
      status = dnnl.dilated_convolution_forward_desc_init(
          &operation, dnnl_forward_training, dnnl_convolution_direct, source, kernel, NULL,
          destination, strides, gaps, low, high);
      break;
    case INPUT_GRADIENT:
      status = dnnl.dilated_convolution_backward_data_desc_init(
          &operation, dnnl_convolution_direct, source, kernel, destination, strides, gaps, low,
          high);
      break;
    case KERNEL_GRADIENT:
      status = dnnl.dilated_convolution_backward_weights_desc_init(
          &operation, dnnl_convolution_direct, source, kernel, NULL, destination, strides, gaps,
          low, high);
      break;
  }
  return status == dnnl_success ? describe(&operation, forward) : NULL;
}

#else

static Layout copy(Layout layout) {
  dnnl_memory_desc_t result = NULL;
  return layout && dnnl.memory_desc_clone(&result, layout) == dnnl_success ? result : NULL;
}

void OneDNN_destroyLayout(Layout layout) {
  if (layout) dnnl.memory_desc_destroy((dnnl_memory_desc_t)layout);
}

Layout OneDNN_layout(int rank, const dnnl_dims_t sizes, const dnnl_dims_t strides) {
  dnnl_memory_desc_t layout = NULL;
  dnnl_status_t status = strides
      ? dnnl.memory_desc_create_with_strides(&layout, rank, sizes, dnnl_f32, strides)
      : dnnl.memory_desc_create_with_tag(&layout, rank, sizes, dnnl_f32, dnnl_format_tag_any);
  return status == dnnl_success ? layout : NULL;
}

static dnnl_primitive_desc_t describeMatmul(const Primitive *primitive) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attributes = makeAttributes();
  dnnl.matmul_primitive_desc_create(
      &description, dnnl.engine, primitive->source, primitive->weights, NULL,
      primitive->destination, attributes);
  dnnl.primitive_attr_destroy(attributes);
  return description;
}

static dnnl_primitive_desc_t describeConvolution(
    const Primitive *primitive, enum Mode mode, Layout kernel, const Window *window,
    const_dnnl_primitive_desc_t forward) {
  Layout source = primitive->source, destination = primitive->destination;
  const int64_t *strides = window->strides, *gaps = window->gaps;
  const int64_t *low = window->low, *high = window->high;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attributes = makeAttributes();
  switch (mode) {
    case FORWARD:
      dnnl.convolution_forward_primitive_desc_create(
          &description, dnnl.engine, dnnl_forward_training, dnnl_convolution_direct, source,
          kernel, NULL, destination, strides, gaps, low, high, attributes);
      break;
    case INPUT_GRADIENT:
      dnnl.convolution_backward_data_primitive_desc_create(
          &description, dnnl.engine, dnnl_convolution_direct, source, kernel, destination, strides,
          gaps, low, high, forward, attributes);
      break;
    case KERNEL_GRADIENT:
      dnnl.convolution_backward_weights_primitive_desc_create(
          &description, dnnl.engine, dnnl_convolution_direct, source, kernel, NULL, destination,
          strides, gaps, low, high, forward, attributes);
      break;
  }
  dnnl.primitive_attr_destroy(attributes);
  return description;
}

#endif

// Makes the primitive of a description and queries its scratch memory; frees the description.
static bool finish(Primitive *primitive, dnnl_primitive_desc_t description) {
  if (!description) return false;
  bool made = dnnl.primitive_create(&primitive->primitive, description) == dnnl_success;
  if (made) {
    primitive->scratch = copy(dnnl.primitive_desc_query_md(description, dnnl_query_scratchpad_md, 0));
    if (primitive->scratch) primitive->scratchSize = dnnl.memory_desc_get_size(primitive->scratch);
  }
  dnnl.primitive_desc_destroy(description);
  return made && primitive->scratch;
}

bool OneDNN_makeMatmul(Primitive *primitive) {
  if (!primitive->source || !primitive->weights || !primitive->destination) return false;
  return finish(primitive, describeMatmul(primitive));
}

bool OneDNN_makeConvolution(
    Primitive *primitive, enum Mode mode, Layout kernel, const Window *window) {
  if (!primitive->source || !kernel || !primitive->destination) return false;
  dnnl_primitive_desc_t forward = describeConvolution(primitive, FORWARD, kernel, window, NULL);
  dnnl_primitive_desc_t description = forward;
  if (forward && mode != FORWARD) {
    description = describeConvolution(primitive, mode, kernel, window, forward);
    dnnl.primitive_desc_destroy(forward);
  }
  if (!description) return false;
  dnnl_query_t query = mode == KERNEL_GRADIENT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
  primitive->weights = copy(dnnl.primitive_desc_query_md(description, query, 0));
  return finish(primitive, description) && primitive->weights;
}

bool OneDNN_makeReorder(Primitive *primitive) {
  if (!primitive->source || !primitive->destination) return false;
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attributes = makeAttributes();
  dnnl.reorder_primitive_desc_create(
      &description, primitive->source, dnnl.engine, primitive->destination, dnnl.engine,
      attributes);
  dnnl.primitive_attr_destroy(attributes);
  return finish(primitive, description);
}

#endif
