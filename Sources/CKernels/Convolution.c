#include <stdlib.h>
#include <string.h>

#include "Call.h"
#include "Kernels.h"
#include "OneDNN.h"

#ifdef TWINFLOW_ONEDNN

enum Mode { FORWARD, INPUT_GRADIENT, KERNEL_GRADIENT };

// A convolution's numbers; those of the spatial axes stand in groups of three.
enum {
  MODE, RANK, BATCH, GROUPS, INPUT_CHANNELS, OUTPUT_CHANNELS,
  INPUT, OUTPUT = INPUT + 3, KERNEL = OUTPUT + 3, STRIDES = KERNEL + 3, DILATION = STRIDES + 3,
  LOW = DILATION + 3, HIGH = LOW + 3, SIZE = HIGH + 3
};

// The layout of `[batch, spatial…, channels]`, which oneDNN names batch, channels, spatial.
static bool describeData(
    dnnl_memory_desc_t *layout, const int64_t *key, int64_t channels, int sizes) {
  dnnl_dims_t size = {key[BATCH], channels}, stride = {0, 1};
  int64_t next = channels;
  for (int64_t i = key[RANK] - 1; i >= 0; i--) {
    size[2 + i] = key[sizes + i];
    stride[2 + i] = next;
    next *= size[2 + i];
  }
  stride[0] = next;
  return dnnl.memory_desc_init_by_strides(
             layout, (int)key[RANK] + 2, size, dnnl_f32, stride) == dnnl_success;
}

// The layout of `[spatial…, channels in / groups, channels out]`, which oneDNN names groups, out, in,
// spatial; or the one that the convolution likes best.
static bool describeKernel(dnnl_memory_desc_t *layout, const int64_t *key, bool best) {
  int64_t groups = key[GROUPS], in = key[INPUT_CHANNELS] / groups, out = key[OUTPUT_CHANNELS];
  int first = groups > 1;
  dnnl_dims_t size = {groups}, stride = {out / groups};
  size[first] = out / groups;
  size[first + 1] = in;
  stride[first] = 1;
  stride[first + 1] = out;
  int64_t next = in * out;
  for (int64_t i = key[RANK] - 1; i >= 0; i--) {
    size[first + 2 + i] = key[KERNEL + i];
    stride[first + 2 + i] = next;
    next *= key[KERNEL + i];
  }
  int rank = first + 2 + (int)key[RANK];
  if (dnnl.memory_desc_init_by_strides(layout, rank, size, dnnl_f32, stride) != dnnl_success)
    return false;
  if (best) layout->format_kind = dnnl_format_kind_any;
  return true;
}

static dnnl_primitive_desc_t describe(
    const dnnl_convolution_desc_t *operation, const_dnnl_primitive_desc_t hint) {
  dnnl_primitive_desc_t description = NULL;
  dnnl_primitive_attr_t attributes = OneDNN_attributes();
  dnnl.primitive_desc_create(&description, operation, attributes, dnnl.engine, hint);
  dnnl.primitive_attr_destroy(attributes);
  return description;
}

// A primitive that brings a kernel from one layout into another.
static Primitive *makeReorder(const dnnl_memory_desc_t *from, const dnnl_memory_desc_t *to) {
  Primitive *reorder = calloc(1, sizeof *reorder);
  if (!reorder) return NULL;
  reorder->source = *from;
  reorder->destination = *to;
  dnnl_primitive_desc_t description;
  dnnl_primitive_attr_t attributes = OneDNN_attributes();
  dnnl_status_t status = dnnl.reorder_primitive_desc_create(
      &description, from, dnnl.engine, to, dnnl.engine, attributes);
  dnnl.primitive_attr_destroy(attributes);
  if (status == dnnl_success && OneDNN_finish(reorder, description)) return reorder;
  free(reorder);
  return NULL;
}

static bool make(Primitive *primitive, const int64_t *key) {
  dnnl_memory_desc_t kernel, best;
  if (!describeData(&primitive->source, key, key[INPUT_CHANNELS], INPUT) ||
      !describeData(&primitive->destination, key, key[OUTPUT_CHANNELS], OUTPUT) ||
      !describeKernel(&kernel, key, false) || !describeKernel(&best, key, true))
    return false;
  dnnl_dims_t strides, gaps, low, high;
  for (int i = 0; i < key[RANK]; i++) {
    strides[i] = key[STRIDES + i];
    gaps[i] = key[DILATION + i] - 1;
    low[i] = key[LOW + i];
    high[i] = key[HIGH + i];
  }
  dnnl_convolution_desc_t operation;
  if (dnnl.dilated_convolution_forward_desc_init(
          &operation, dnnl_forward_training, dnnl_convolution_direct, &primitive->source, &best,
          NULL, &primitive->destination, strides, gaps, low, high) != dnnl_success)
    return false;
  dnnl_primitive_desc_t description = describe(&operation, NULL), forward = description;
  dnnl_status_t status = dnnl_success;
  if (key[MODE] == INPUT_GRADIENT)
    status = dnnl.dilated_convolution_backward_data_desc_init(
        &operation, dnnl_convolution_direct, &primitive->source, &best, &primitive->destination,
        strides, gaps, low, high);
  if (key[MODE] == KERNEL_GRADIENT)
    status = dnnl.dilated_convolution_backward_weights_desc_init(
        &operation, dnnl_convolution_direct, &primitive->source, &best, NULL,
        &primitive->destination, strides, gaps, low, high);
  if (key[MODE] != FORWARD) {
    description = forward && status == dnnl_success ? describe(&operation, forward) : NULL;
    if (forward) dnnl.primitive_desc_destroy(forward);
  }
  if (!description) return false;
  dnnl_query_t query =
      key[MODE] == KERNEL_GRADIENT ? dnnl_query_diff_weights_md : dnnl_query_weights_md;
  primitive->weights = *dnnl.primitive_desc_query_md(description, query, 0);
  if (!OneDNN_finish(primitive, description)) return false;
  if (dnnl.memory_desc_equal(&kernel, &primitive->weights)) return true;
  primitive->reorder = key[MODE] == KERNEL_GRADIENT
      ? makeReorder(&primitive->weights, &kernel) : makeReorder(&kernel, &primitive->weights);
  return primitive->reorder != NULL;
}

typedef struct Work {
  int64_t key[SIZE];
  // Samples in a part, and elements of a sample.
  int64_t samples, inputSize, outputSize;
  float *input, *kernel, *output;
  // A kernel's gradient: one for each part, so many bytes apart.
  char *partial;
  size_t partialSize;
  int64_t parts;
  _Atomic bool failed;
} Work;

static const Primitive *primitive(const Work *work, int64_t samples) {
  int64_t key[SIZE];
  memcpy(key, work->key, sizeof key);
  key[BATCH] = samples;
  return OneDNN_primitive(key, SIZE, make);
}

static void part(void *context, int64_t index) {
  Work *work = context;
  int64_t first = index * work->samples, left = work->key[BATCH] - first;
  const Primitive *here = primitive(work, left < work->samples ? left : work->samples);
  if (!here) {
    work->failed = true;
    return;
  }
  float *input = work->input + first * work->inputSize;
  float *output = work->output + first * work->outputSize;
  enum Mode mode = (enum Mode)work->key[MODE];
  float *kernel = mode == KERNEL_GRADIENT && work->partial
      ? (float *)(work->partial + index * work->partialSize) : work->kernel;
  const Operand operands[] = {
      {mode == INPUT_GRADIENT ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, &here->source, input},
      {mode == KERNEL_GRADIENT ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, &here->weights, kernel},
      {mode == FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, &here->destination, output},
  };
  if (!OneDNN_run(here, operands, 3)) work->failed = true;
}

static bool reorder(const Primitive *reorder, void *from, void *to) {
  const Operand operands[] = {
      {DNNL_ARG_FROM, &reorder->source, from}, {DNNL_ARG_TO, &reorder->destination, to}};
  return OneDNN_run(reorder, operands, 2);
}

static void addPart(void *context, int64_t index) {
  Work *work = context;
  int64_t count = work->partialSize / sizeof(float), each = (count / work->parts + 15) / 16 * 16;
  int64_t from = index * each, to = index == work->parts - 1 ? count : from + each;
  float *sum = (float *)work->partial;
  for (int64_t part = 1; part < work->parts; part++) {
    const float *other = (float *)(work->partial + part * work->partialSize);
    for (int64_t i = from; i < to && i < count; i++) sum[i] += other[i];
  }
}

static bool read(XLA_FFI_Frame *frame, enum Mode mode, Work *work) {
  if (!Call_takes(frame, 2, 1)) return false;
  const XLA_FFI_Buffer *input, *kernel, *output;
  switch (mode) {
    case FORWARD:
      input = Call_argument(frame, 0), kernel = Call_argument(frame, 1);
      output = Call_result(frame, 0);
      break;
    case INPUT_GRADIENT:
      output = Call_argument(frame, 0), kernel = Call_argument(frame, 1);
      input = Call_result(frame, 0);
      break;
    case KERNEL_GRADIENT:
      input = Call_argument(frame, 0), output = Call_argument(frame, 1);
      kernel = Call_result(frame, 0);
      break;
  }
  int64_t *key = work->key, rank = input->rank - 2;
  if (rank < 1 || rank > 3 || kernel->rank != rank + 2 || output->rank != rank + 2 ||
      !Call_numbers(frame, "groups", 1, &key[GROUPS]) ||
      !Call_numbers(frame, "strides", rank, &key[STRIDES]) ||
      !Call_numbers(frame, "dilation", rank, &key[DILATION]) ||
      !Call_numbers(frame, "low", rank, &key[LOW]) ||
      !Call_numbers(frame, "high", rank, &key[HIGH]))
    return false;
  key[MODE] = mode;
  key[RANK] = rank;
  key[BATCH] = input->sizes[0];
  key[INPUT_CHANNELS] = input->sizes[rank + 1];
  key[OUTPUT_CHANNELS] = output->sizes[rank + 1];
  work->inputSize = key[INPUT_CHANNELS];
  work->outputSize = key[OUTPUT_CHANNELS];
  for (int i = 0; i < rank; i++) {
    work->inputSize *= key[INPUT + i] = input->sizes[1 + i];
    work->outputSize *= key[OUTPUT + i] = output->sizes[1 + i];
    key[KERNEL + i] = kernel->sizes[i];
  }
  work->input = input->data;
  work->kernel = kernel->data;
  work->output = output->data;
  return true;
}

static XLA_FFI_Error *convolve(XLA_FFI_Frame *frame, enum Mode mode) {
  if (Call_isQuestion(frame)) return NULL;
  Work work = {0};
  if (!read(frame, mode, &work))
    return Call_error(frame, "a convolution got other arguments than it takes");
  int64_t batch = work.key[BATCH], threads = Call_threads(frame);
  // Samples are few where each is large: then a part is one sample.
  int64_t wanted = threads > 1 ? 4 * threads : 1;
  if (mode == KERNEL_GRADIENT) wanted = threads;
  work.samples = (batch + wanted - 1) / wanted;
  work.parts = (batch + work.samples - 1) / work.samples;

  const Primitive *first = primitive(&work, work.samples);
  if (!first) return Call_error(frame, "oneDNN has no such convolution");
  void *buffer = NULL;
  float *kernel = work.kernel;
  size_t size = dnnl.memory_desc_get_size(&first->weights);
  bool needsBuffer = first->reorder || (mode == KERNEL_GRADIENT && work.parts > 1);
  if (needsBuffer && mode == KERNEL_GRADIENT) {
    work.partialSize = (size + 63) / 64 * 64;
    work.partial = buffer = aligned_alloc(64, work.partialSize * work.parts);
  } else if (needsBuffer) {
    buffer = work.kernel = aligned_alloc(64, (size + 63) / 64 * 64);
    if (buffer && !reorder(first->reorder, kernel, buffer)) work.failed = true;
  }
  if (needsBuffer && !buffer)
    return Call_error(frame, "a convolution found no memory to work in");
  Call_parallel(frame, work.parts, part, &work);
  if (work.partial && !work.failed) {
    if (work.parts > 1) Call_parallel(frame, work.parts, addPart, &work);
    if (!first->reorder) memcpy(kernel, work.partial, size);
    else if (!reorder(first->reorder, work.partial, kernel)) work.failed = true;
  }
  free(buffer);
  return work.failed ? Call_error(frame, "oneDNN could not compute a convolution") : NULL;
}

XLA_FFI_Error *Kernels_convolution(XLA_FFI_Frame *frame) { return convolve(frame, FORWARD); }

XLA_FFI_Error *Kernels_convolutionInputGradient(XLA_FFI_Frame *frame) {
  return convolve(frame, INPUT_GRADIENT);
}

XLA_FFI_Error *Kernels_convolutionKernelGradient(XLA_FFI_Frame *frame) {
  return convolve(frame, KERNEL_GRADIENT);
}

#endif
