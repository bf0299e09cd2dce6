#include "DirectConvolution.h"

#include <string.h>

#include "Call.h"
#include "Processor.h"

// The output elements of a part should be enough to pack a part of the kernel for. A register tile
// has up to six of them.
enum { PART_SIZE = 512, LEAST_PART = 96, MOST_ROWS = 6 };

// What an output element reads of a row of the input, and its place in the part.
typedef struct Window {
  const float *input;
  int64_t place;
} Window;

#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#define NAME(name) JOIN(name, LANES)

#define LANES 8
#define VECTORS 2
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "ConvolutionTiles.h"
#pragma clang attribute pop
#else
#include "ConvolutionTiles.h"
#endif
#undef LANES
#undef VECTORS

#define LANES 4
#define VECTORS 2
#include "ConvolutionTiles.h"
#undef LANES
#undef VECTORS

#if defined(__x86_64__)
#define LANES 16
#define VECTORS 4
#pragma clang attribute push(__attribute__((target("avx512f,fma"))), apply_to = function)
#include "ConvolutionTiles.h"
#pragma clang attribute pop
#undef LANES
#undef VECTORS
#endif

// What is compiled for one kind of processor, and the inputs that the kernel is packed for at a
// time, so that it stays in the cache.
typedef struct Kind {
  int64_t lanes, vectors, depth;
  void (*multiply)(
      int64_t, int64_t, int64_t, const Window *, int64_t, const float *, float *);
} Kind;

static Kind kind(void) {
  switch (Processor_lanes()) {
#if defined(__x86_64__)
    case 16: return (Kind){16, 4, 96, multiply16};
#endif
    case 8: return (Kind){8, 2, 192, multiply8};
    default: return (Kind){4, 2, 384, multiply4};
  }
}

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

static inline int64_t ceiling(int64_t a, int64_t b) { return (a + b - 1) / b; }

static int64_t rowCount(const DirectConvolution *c) {
  return c->batch * c->output[0] * c->output[1];
}

void DirectConvolution_divide(DirectConvolution *c, int64_t threads) {
  const Kind own = kind();
  const int64_t rows = rowCount(c), columns = own.lanes * own.vectors;
  // Several parts for each thread, so that all finish at about the same time: by output rows, then
  // by output channels, then by fewer rows than the kernel should be packed for.
  const int64_t wanted = threads > 1 ? 4 * threads : 1;
  int64_t parts = ceiling(rows, ceiling(PART_SIZE, c->output[2]));
  int64_t across = least(ceiling(c->outChannels, columns), ceiling(wanted, parts));
  if (parts * across < wanted) {
    int64_t size = ceiling(LEAST_PART, c->output[2]);
    parts = least(ceiling(rows, size), ceiling(wanted, across));
  }
  c->rows = ceiling(rows, parts);
  c->columns = ceiling(ceiling(c->outChannels, columns), across) * columns;
  c->across = ceiling(c->outChannels, c->columns);
  c->parts = ceiling(rows, c->rows) * c->across;
}

// What a part is computed with.
typedef struct Part {
  const DirectConvolution *c;
  Kind kind;
  // Its first output row, and the number of rows, of output elements and of rows of taps.
  int64_t first, rows, size, tapRows;
  // For each row of taps the windows within the input's rows, and their number; and copies of those
  // that see padding.
  Window *windows;
  int64_t *counts;
  float *copies;
  // A part of the kernel, and the output of some channels.
  float *packed, *sums;
} Part;

// The sample and the place along the first two axes of an output row.
typedef struct Row {
  int64_t sample, z, y;
} Row;

static Row outputRow(const DirectConvolution *c, int64_t number) {
  int64_t rest = number / c->output[1];
  return (Row){rest / c->output[0], rest % c->output[0], number % c->output[1]};
}

static inline int64_t place(const DirectConvolution *c, int axis, int64_t output, int64_t tap) {
  return output * c->strides[axis] + tap * c->dilation[axis] - c->low[axis];
}

// The first output element from which on, or up to which, windows are within the input's rows.
static int64_t firstInside(const DirectConvolution *c) {
  return c->low[2] <= 0 ? 0 : least(c->output[2], ceiling(c->low[2], c->strides[2]));
}

static int64_t endInside(const DirectConvolution *c) {
  int64_t reach = c->input[2] + c->low[2] - c->taps[2];
  int64_t end = reach < 0 ? 0 : least(c->output[2], reach / c->strides[2] + 1);
  return end < firstInside(c) ? firstInside(c) : end;
}

// Copies the window that starts at an element of an input row, with zeros for padding.
static void copyWindow(const DirectConvolution *c, const float *row, int64_t first, float *copy) {
  for (int64_t tap = 0; tap < c->taps[2]; tap++, copy += c->channels) {
    int64_t x = first + tap;
    if (x < 0 || x >= c->input[2]) memset(copy, 0, c->channels * sizeof(float));
    else memcpy(copy, row + x * c->channels, c->channels * sizeof(float));
  }
}

static void findWindows(const Part *part) {
  const DirectConvolution *c = part->c;
  const int64_t first = firstInside(c), end = endInside(c);
  float *copy = part->copies;
  for (int64_t tap = 0; tap < part->tapRows; tap++) {
    Window *windows = part->windows + tap * part->size, *next = windows;
    for (int64_t r = 0; r < part->rows; r++) {
      const Row row = outputRow(c, part->first + r);
      const int64_t z = place(c, 0, row.z, tap / c->taps[1]);
      const int64_t y = place(c, 1, row.y, tap % c->taps[1]);
      if (z < 0 || y < 0 || z >= c->input[0] || y >= c->input[1]) continue;
      const float *input = c->in +
          ((row.sample * c->input[0] + z) * c->input[1] + y) * c->input[2] * c->channels;
      for (int64_t x = 0; x < c->output[2]; x++) {
        const int64_t from = place(c, 2, x, 0);
        *next = (Window){input + from * c->channels, r * c->output[2] + x};
        if (x < first || x >= end) {
          copyWindow(c, input, from, copy);
          next->input = copy;
          copy += c->taps[2] * c->channels;
        }
        next++;
      }
    }
    part->counts[tap] = next - windows;
  }
}

// Packs the kernel of `width` output channels for `depth` inputs of a row of taps; channels beyond
// the last are zeros.
static void pack(
    const Part *part, int64_t tap, int64_t start, int64_t depth, int64_t column, int64_t width) {
  const DirectConvolution *c = part->c;
  const int64_t count = least(width, c->outChannels - column);
  const float *row = c->kernel + tap / c->taps[1] * c->kernelTap[0] +
      tap % c->taps[1] * c->kernelTap[1] + column * c->kernelOut;
  float *to = part->packed;
  for (int64_t done = 0; done < depth;) {
    const int64_t x = (start + done) / c->channels, channel = (start + done) % c->channels;
    const int64_t some = least(depth - done, c->channels - channel);
    const float *from = row + x * c->kernelTap[2] + channel * c->kernelIn;
    if (c->kernelOut == 1) {
      for (int64_t i = 0; i < some; i++)
        memcpy(to + i * width, from + i * c->kernelIn, count * sizeof(float));
    } else {
      // In blocks that stay in the cache.
      for (int64_t block = 0; block < some; block += 16)
        for (int64_t j = 0; j < count; j++)
          for (int64_t i = block; i < some && i < block + 16; i++)
            to[i * width + j] = from[i * c->kernelIn + j * c->kernelOut];
    }
    for (int64_t i = 0; count < width && i < some; i++)
      memset(to + i * width + count, 0, (width - count) * sizeof(float));
    to += some * width;
    done += some;
  }
}

static void writeSums(const Part *part, int64_t column, int64_t width) {
  const DirectConvolution *c = part->c;
  const int64_t count = least(width, c->outChannels - column);
  const float *from = part->sums;
  for (int64_t r = 0; r < part->rows; r++) {
    const Row row = outputRow(c, part->first + r);
    float *to = c->out + row.sample * c->outSample + row.z * c->outSpatial[0] +
        row.y * c->outSpatial[1] + column;
    for (int64_t x = 0; x < c->output[2]; x++, to += c->outSpatial[2], from += width)
      memcpy(to, from, count * sizeof(float));
  }
}

// The bytes of an array, so that the next one is aligned.
static size_t bytes(int64_t count, size_t size) { return (count * size + 63) / 64 * 64; }

bool DirectConvolution_part(const DirectConvolution *c, int64_t index) {
  Part part = {.c = c, .kind = kind(), .first = index / c->across * c->rows};
  part.rows = least(c->rows, rowCount(c) - part.first);
  part.size = part.rows * c->output[2];
  part.tapRows = c->taps[0] * c->taps[1];
  const int64_t depth = c->taps[2] * c->channels;
  const int64_t most = part.kind.lanes * part.kind.vectors;
  const int64_t outside = c->output[2] - (endInside(c) - firstInside(c));
  const size_t sizes[] = {
      bytes(most * part.kind.depth, sizeof(float)), bytes(most * part.size, sizeof(float)),
      bytes(part.rows * part.tapRows * outside * depth, sizeof(float)),
      bytes(part.size * part.tapRows, sizeof(Window)), bytes(part.tapRows, sizeof(int64_t))};
  char *memory = Call_memory(sizes[0] + sizes[1] + sizes[2] + sizes[3] + sizes[4]);
  if (!memory) return false;
  part.packed = (float *)memory;
  part.sums = (float *)(memory += sizes[0]);
  part.copies = (float *)(memory += sizes[1]);
  part.windows = (Window *)(memory += sizes[2]);
  part.counts = (int64_t *)(memory += sizes[3]);

  findWindows(&part);
  const int64_t step = depth > 0 ? ceiling(depth, ceiling(depth, part.kind.depth)) : 1;
  int64_t column = index % c->across * c->columns;
  for (const int64_t end = least(column + c->columns, c->outChannels); column < end;) {
    const int64_t vectors =
        least(part.kind.vectors, ceiling(end - column, part.kind.lanes));
    const int64_t width = vectors * part.kind.lanes;
    memset(part.sums, 0, part.size * width * sizeof(float));
    for (int64_t tap = 0; tap < part.tapRows; tap++) {
      const Window *windows = part.windows + tap * part.size;
      for (int64_t start = 0; start < depth && part.counts[tap] > 0; start += step) {
        const int64_t some = least(step, depth - start);
        pack(&part, tap, start, some, column, width);
        part.kind.multiply(
            part.counts[tap], vectors, some, windows, start, part.packed, part.sums);
      }
    }
    writeSums(&part, column, width);
    column += width;
  }
  return true;
}
