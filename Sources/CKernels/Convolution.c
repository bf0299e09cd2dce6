#include <stdlib.h>
#include <string.h>

#include "Call.h"
#include "DirectConvolution.h"
#include "Kernels.h"
#include "OneDNN.h"

#ifdef TWINFLOW_ONEDNN

// The indices of a convolution's parameters; those of spatial axes are in groups of three.
enum {
  MODE, RANK, BATCH, GROUPS, INPUT_CHANNELS, OUTPUT_CHANNELS,
  INPUT, OUTPUT = INPUT + 3, KERNEL = OUTPUT + 3, STRIDES = KERNEL + 3, DILATION = STRIDES + 3,
  LOW = DILATION + 3, HIGH = LOW + 3, SIZE = HIGH + 3
};

// The most convolutions that the gradient with respect to the input is computed by.
enum { MOST_PLACES = 27 };

static inline int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The layout of `[batch, spatial…, channels]`, whose axes oneDNN orders batch, channels, spatial.
static Layout dataLayout(const int64_t *key, int64_t channels, int sizes) {
  dnnl_dims_t size = {key[BATCH], channels}, stride = {0, 1};
  int64_t next = channels;
  for (int64_t i = key[RANK] - 1; i >= 0; i--) {
    size[2 + i] = key[sizes + i];
    stride[2 + i] = next;
    next *= size[2 + i];
  }
  stride[0] = next;
  return OneDNN_layout((int)key[RANK] + 2, size, stride);
}

// The layout of `[spatial…, channels in / groups, channels out]`, whose axes oneDNN orders groups,
// out, in, spatial; or the layout that the convolution prefers.
static Layout kernelLayout(const int64_t *key, bool preferred) {
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
  return OneDNN_layout(first + 2 + (int)key[RANK], size, preferred ? NULL : stride);
}

// A primitive that reorders a kernel from one layout to another.
static Primitive *makeReorder(Layout from, Layout to) {
  Primitive *reorder = calloc(1, sizeof *reorder);
  if (!reorder) return NULL;
  reorder->source = from;
  reorder->destination = to;
  if (OneDNN_makeReorder(reorder)) return reorder;
  free(reorder);
  return NULL;
}

static bool make(Primitive *primitive, const int64_t *key) {
  enum Mode mode = (enum Mode)key[MODE];
  Window window;
  for (int i = 0; i < key[RANK]; i++) {
    window.strides[i] = key[STRIDES + i];
    window.gaps[i] = key[DILATION + i] - 1;
    window.low[i] = key[LOW + i];
    window.high[i] = key[HIGH + i];
  }
  primitive->source = dataLayout(key, key[INPUT_CHANNELS], INPUT);
  primitive->destination = dataLayout(key, key[OUTPUT_CHANNELS], OUTPUT);
  Layout preferred = kernelLayout(key, true);
  bool made = OneDNN_makeConvolution(primitive, mode, preferred, &window);
  OneDNN_destroyLayout(preferred);
  // Layouts live as long as primitives, which are never freed.
  Layout kernel = made ? kernelLayout(key, false) : NULL;
  if (!kernel) return false;
  if (dnnl.memory_desc_equal(kernel, primitive->weights)) {
    OneDNN_destroyLayout(kernel);
    return true;
  }
  primitive->reorder = mode == KERNEL_GRADIENT ? makeReorder(primitive->weights, kernel)
                                               : makeReorder(kernel, primitive->weights);
  return primitive->reorder != NULL;
}

typedef struct Work {
  int64_t key[SIZE];
  // The number of samples in a part, and of elements in a sample.
  int64_t samples, inputSize, outputSize;
  float *input, *kernel, *output;
  // The gradient of the kernel for each part, with the distance between them in bytes.
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
      {mode == INPUT_GRADIENT ? DNNL_ARG_DIFF_SRC : DNNL_ARG_SRC, here->source, input},
      {mode == KERNEL_GRADIENT ? DNNL_ARG_DIFF_WEIGHTS : DNNL_ARG_WEIGHTS, here->weights, kernel},
      {mode == FORWARD ? DNNL_ARG_DST : DNNL_ARG_DIFF_DST, here->destination, output},
  };
  if (!OneDNN_run(here, operands, 3)) work->failed = true;
}

static bool reorder(const Primitive *reorder, void *from, void *to) {
  const Operand operands[] = {
      {DNNL_ARG_FROM, reorder->source, from}, {DNNL_ARG_TO, reorder->destination, to}};
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

// Convolutions that are computed directly: the windows of a row of taps are contiguous in the input,
// and long enough. The gradient with respect to the input consists of a convolution of the cotangent
// for each place within the strides.
static bool isDirect(const int64_t *key) {
  const int64_t last = key[RANK] - 1;
  const bool isForward = key[MODE] == FORWARD;
  if (key[MODE] == KERNEL_GRADIENT || key[GROUPS] != 1 || key[DILATION + last] != 1) return false;
  int64_t places = 1, strides = isForward ? 1 : key[STRIDES + last];
  for (int i = 0; i < key[RANK]; i++) {
    if (key[INPUT + i] < 1 || key[OUTPUT + i] < 1) return false;
    if (isForward) continue;
    if (key[STRIDES + i] > 1 && key[DILATION + i] > 1) return false;
    places *= key[STRIDES + i];
  }
  const int64_t channels = key[isForward ? INPUT_CHANNELS : OUTPUT_CHANNELS];
  return places <= MOST_PLACES && key[BATCH] > 0 &&
      ceiling(key[KERNEL + last], strides) * channels >= 16;
}

static DirectConvolution direct(const Work *work) {
  const int64_t *key = work->key, rank = key[RANK], first = 3 - rank;
  const bool isForward = key[MODE] == FORWARD;
  const int64_t in = key[INPUT_CHANNELS], out = key[OUTPUT_CHANNELS];
  DirectConvolution c = {
      .batch = key[BATCH], .channels = isForward ? in : out, .outChannels = isForward ? out : in,
      .input = {1, 1, 1}, .output = {1, 1, 1}, .taps = {1, 1, 1}, .strides = {1, 1, 1},
      .dilation = {1, 1, 1}, .in = isForward ? work->input : work->output, .kernel = work->kernel,
      .out = isForward ? work->output : work->input, .kernelIn = isForward ? out : 1,
      .kernelOut = isForward ? 1 : out};
  int64_t tap = in * out, element = c.outChannels;
  for (int64_t i = rank - 1; i >= 0; i--) {
    const int64_t axis = first + i;
    c.input[axis] = key[(isForward ? INPUT : OUTPUT) + i];
    c.output[axis] = key[(isForward ? OUTPUT : INPUT) + i];
    c.taps[axis] = key[KERNEL + i];
    c.strides[axis] = key[STRIDES + i];
    c.dilation[axis] = key[DILATION + i];
    c.low[axis] = key[LOW + i];
    c.kernelTap[axis] = tap;
    c.outSpatial[axis] = element;
    tap *= c.taps[axis];
    element *= c.output[axis];
  }
  c.outSample = element;
  return c;
}

// Turns an axis of a convolution into that of its gradient with respect to the input, for the places
// of the input that have the remainder `phase` by the stride.
//
// Place s·n + φ takes the taps r, r + s, r + 2s … with r = (φ + p) mod s, from the cotangent's places
// n + ⌊(φ + p)/s⌋ downwards; the last of these taps comes first.
static void turn(DirectConvolution *c, int axis, int64_t phase) {
  const int64_t s = c->strides[axis], from = phase + c->low[axis], r = from % s;
  const int64_t used = c->taps[axis] > r ? ceiling(c->taps[axis] - r, s) : 0;
  c->kernel += (r + s * (used - 1)) * c->kernelTap[axis];
  c->kernelTap[axis] *= -s;
  c->out += phase * c->outSpatial[axis];
  c->outSpatial[axis] *= s;
  c->output[axis] = ceiling(c->output[axis] - phase, s);
  c->taps[axis] = used;
  c->strides[axis] = 1;
  c->low[axis] = (used - 1) * c->dilation[axis] - from / s;
}

typedef struct DirectWork {
  DirectConvolution convolutions[MOST_PLACES];
  // The number of parts of a convolution and of those before it.
  int64_t ends[MOST_PLACES];
  int64_t count;
  _Atomic bool failed;
} DirectWork;

static void directPart(void *context, int64_t index) {
  DirectWork *work = context;
  int64_t i = 0;
  while (index >= work->ends[i]) i++;
  int64_t start = i > 0 ? work->ends[i - 1] : 0;
  if (!DirectConvolution_part(&work->convolutions[i], index - start)) work->failed = true;
}

static XLA_FFI_Error *convolveDirectly(XLA_FFI_Frame *frame, const Work *work) {
  const DirectConvolution all = direct(work);
  DirectWork parts = {.count = 0};
  const int64_t threads = Call_threads(frame);
  const int64_t *s = all.strides;
  const int64_t places = work->key[MODE] == FORWARD ? 1 : s[0] * s[1] * s[2];
  for (int64_t place = 0, end = 0; place < places; place++) {
    DirectConvolution *c = &parts.convolutions[parts.count];
    *c = all;
    if (work->key[MODE] == INPUT_GRADIENT) {
      turn(c, 0, place / (s[1] * s[2]));
      turn(c, 1, place / s[2] % s[1]);
      turn(c, 2, place % s[2]);
      if (c->output[0] < 1 || c->output[1] < 1 || c->output[2] < 1) continue;
    }
    DirectConvolution_divide(c, threads);
    parts.ends[parts.count++] = end += c->parts;
  }
  if (parts.count > 0) Call_parallel(frame, parts.ends[parts.count - 1], directPart, &parts);
  return parts.failed ? Call_error(frame, "a convolution could not allocate its working memory")
                      : NULL;
}

static XLA_FFI_Error *convolve(XLA_FFI_Frame *frame, enum Mode mode) {
  if (Call_isQuestion(frame)) return NULL;
  Work work = {0};
  if (!read(frame, mode, &work))
    return Call_error(frame, "a convolution got unexpected arguments");
  if (isDirect(work.key)) return convolveDirectly(frame, &work);
  int64_t batch = work.key[BATCH], threads = Call_threads(frame);
  // With few samples each part is one sample.
  int64_t wanted = threads > 1 ? 4 * threads : 1;
  if (mode == KERNEL_GRADIENT) wanted = threads;
  work.samples = (batch + wanted - 1) / wanted;
  work.parts = (batch + work.samples - 1) / work.samples;

  const Primitive *first = primitive(&work, work.samples);
  if (!first) return Call_error(frame, "oneDNN does not support the convolution");
  void *buffer = NULL;
  float *kernel = work.kernel;
  size_t size = dnnl.memory_desc_get_size(first->weights);
  bool needsBuffer = first->reorder || (mode == KERNEL_GRADIENT && work.parts > 1);
  if (needsBuffer && mode == KERNEL_GRADIENT) {
    work.partialSize = (size + 63) / 64 * 64;
    work.partial = buffer = aligned_alloc(64, work.partialSize * work.parts);
  } else if (needsBuffer) {
    buffer = work.kernel = aligned_alloc(64, (size + 63) / 64 * 64);
    if (buffer && !reorder(first->reorder, kernel, buffer)) work.failed = true;
  }
  if (needsBuffer && !buffer)
    return Call_error(frame, "a convolution could not allocate its working memory");
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
