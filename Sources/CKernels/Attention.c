#include <math.h>
#include <string.h>

#include "Call.h"
#include "Kernels.h"
#include "Processor.h"

// A tile of queries by a block of keys fits into the cache of a core.
enum { QUERY_TILE = 48, KEY_BLOCK = 512 };

// One head of one sample. Rows of copies have `width` elements, `columns` rounded up to a multiple
// of a vector.
typedef struct AttentionHead {
  int64_t queryCount, keyCount, keysPadded, columns, width;
  // Copies: queries times the scale and log₂e, keys and values as rows, and transposed.
  float *queries, *keys, *values, *keysTransposed, *valuesTransposed, *cotangents;
  float *queriesGradient, *keysGradient, *valuesGradient;
  // Pointers into the results.
  float *out, *logSum;
  int64_t outStride;
  const uint8_t *mask;
  int64_t maskQuery, maskKey;
  const float *bias;
  int64_t biasQuery, biasKey;
  // In units of log 2; 0 for none.
  float softCap;
  // The offset from a query's number to its position among the keys.
  int64_t offset;
  // The numbers of keys that a query sees before and after its position; negative for all.
  int64_t before, after;
} AttentionHead;

static const float LOG2_E = 1.44269504f;

// The score of a key that is hidden from a query.
static const float HIDDEN = -1e30f;

// A range of keys.
typedef struct KeyRange {
  int64_t from, to;
} KeyRange;

// The keys that any of consecutive queries may see by its position.
static inline KeyRange visibleKeys(const AttentionHead *head, int64_t query, int64_t end) {
  int64_t from = head->before < 0 ? 0 : query + head->offset - head->before;
  int64_t to = head->after < 0 ? head->keyCount : end + head->offset + head->after;
  return (KeyRange){from < 0 ? 0 : from, to > head->keyCount ? head->keyCount : to};
}

static inline int64_t up(int64_t count, int64_t step) { return (count + step - 1) / step * step; }

// The number of queries in a tile, so that tiles have equal sizes.
static int64_t queryTile(int64_t count) {
  int64_t tiles = (count + QUERY_TILE - 1) / QUERY_TILE;
  return tiles == 0 ? 1 : up((count + tiles - 1) / tiles, 6);
}

#define JOINED(a, b) a##b
#define JOIN(a, b) JOINED(a, b)
#define NAME(name) JOIN(name, LANES)

#define ROWS 6

#define LANES 8
#define VECTORS 2
#if defined(__x86_64__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#include "AttentionTiles.h"
#pragma clang attribute pop
#else
#include "AttentionTiles.h"
#endif
#undef LANES
#undef VECTORS

#define LANES 4
#define VECTORS 2
#include "AttentionTiles.h"
#undef LANES
#undef VECTORS

#if defined(__x86_64__)
#define LANES 16
#define VECTORS 4
#pragma clang attribute push(__attribute__((target("avx512f,fma"))), apply_to = function)
#include "AttentionTiles.h"
#pragma clang attribute pop
#undef LANES
#undef VECTORS
#endif

// The functions that are compiled for one kind of processor.
typedef struct Kind {
  int64_t lanes;
  void (*forward)(AttentionHead *, int64_t, int64_t, float *);
  void (*backward)(AttentionHead *, float *);
  void (*copyRows)(
      float *, int64_t, int64_t, const float *, int64_t, int64_t, int64_t, float);
  void (*transpose)(float *, const float *, int64_t, int64_t);
} Kind;

static Kind kind(void) {
  switch (Processor_lanes()) {
#if defined(__x86_64__)
    case 16: return (Kind){16, forward16, backward16, copyRows16, transpose16};
#endif
    case 8: return (Kind){8, forward8, backward8, copyRows8, transpose8};
    default: return (Kind){4, forward4, backward4, copyRows4, transpose4};
  }
}

// The tokens of a tensor: element d of token t of sample b and head h is at
// `data[(b·count + t)·stride + h·columns + d]`.
typedef struct Tokens {
  float *data;
  int64_t count, stride;
} Tokens;

typedef struct Work {
  Kind kind;
  // The number of query heads, and how many of them share a head of keys and values.
  int64_t heads, group;
  int64_t columns, width, keysPadded;
  float scale, softCap;
  // The numbers of keys that a query sees before and after its position.
  int64_t band[2];
  Tokens queries, keys, values, out, cotangents;
  Tokens queriesGradient, keysGradient, valuesGradient;
  float *logSum;
  // The valid keys of each sample, or null.
  const int32_t *lengths;
  const uint8_t *mask;
  const float *bias;
  int64_t maskStrides[4], biasStrides[4];
  // The number of parts that the queries of a head are divided into.
  int64_t parts;
  _Atomic bool failed;
} Work;

static float *at(Tokens tokens, int64_t sample, int64_t head, int64_t columns) {
  return tokens.data + sample * tokens.count * tokens.stride + head * columns;
}

// Copies the keys and values of a head and the sample's mask, and returns the end of the used
// memory.
static float *prepareKeys(
    const Work *work, AttentionHead *head, int64_t sample, int64_t number, float *next) {
  const int64_t columns = work->columns, width = work->width, padded = work->keysPadded;
  *head = (AttentionHead){
      .queryCount = work->queries.count, .keyCount = work->keys.count, .keysPadded = padded,
      .columns = columns, .width = width, .outStride = work->out.stride,
      .maskQuery = work->maskStrides[2], .maskKey = work->maskStrides[3],
      .biasQuery = work->biasStrides[2], .biasKey = work->biasStrides[3],
      .softCap = work->softCap * LOG2_E, .offset = work->keys.count - work->queries.count,
      .before = work->band[0], .after = work->band[1]};
  if (work->lengths) {
    int64_t length = work->lengths[sample];
    head->keyCount = length < 0 ? 0 : length < work->keys.count ? length : work->keys.count;
  }
  head->keys = next;
  head->values = head->keys + padded * width;
  head->keysTransposed = head->values + padded * width;
  int64_t shared = number / work->group;
  work->kind.copyRows(
      head->keys, width, padded, at(work->keys, sample, shared, columns), work->keys.stride,
      work->keys.count, columns, 1);
  work->kind.copyRows(
      head->values, width, padded, at(work->values, sample, shared, columns),
      work->values.stride, work->keys.count, columns, 1);
  work->kind.transpose(head->keysTransposed, head->keys, padded, width);
  return head->keysTransposed + padded * width;
}

// Copies the queries of a head, and returns the end of the used memory.
static float *prepareQueries(
    const Work *work, AttentionHead *head, int64_t sample, int64_t number, float *next) {
  head->out = at(work->out, sample, number, work->columns);
  head->logSum = work->logSum + (sample * work->heads + number) * head->queryCount;
  if (work->mask)
    head->mask = work->mask + sample * work->maskStrides[0] + number * work->maskStrides[1];
  if (work->bias)
    head->bias = work->bias + sample * work->biasStrides[0] + number * work->biasStrides[1];
  head->queries = next;
  work->kind.copyRows(
      head->queries, work->width, head->queryCount,
      at(work->queries, sample, number, work->columns), work->queries.stride, head->queryCount,
      work->columns, work->scale * LOG2_E);
  return head->queries + head->queryCount * work->width;
}

static int64_t tilesSize(const Work *work) {
  int64_t other = work->width > KEY_BLOCK ? work->width : KEY_BLOCK;
  return QUERY_TILE * (KEY_BLOCK + other);
}

static void forwardPart(void *context, int64_t index) {
  Work *work = context;
  int64_t part = index % work->parts, head = index / work->parts;
  float *next = Call_memory(
      sizeof(float) *
      ((work->queries.count + 3 * work->keysPadded) * work->width + tilesSize(work)));
  if (!next) {
    work->failed = true;
    return;
  }
  AttentionHead here;
  int64_t sample = head / work->heads, number = head % work->heads;
  next = prepareKeys(work, &here, sample, number, next);
  next = prepareQueries(work, &here, sample, number, next);
  int64_t count = work->queries.count;
  work->kind.forward(
      &here, count * part / work->parts, count * (part + 1) / work->parts, next);
}

static void writeRows(Tokens to, float *from, int64_t width, int64_t columns, float factor) {
  for (int64_t i = 0; i < to.count; i++, to.data += to.stride, from += width)
    for (int64_t j = 0; j < columns; j++) to.data[j] = from[j] * factor;
}

// Processes all query heads that share a head of keys and values, whose gradients they accumulate.
static void backwardPart(void *context, int64_t index) {
  Work *work = context;
  const int64_t columns = work->columns, width = work->width, padded = work->keysPadded;
  const int64_t shares = work->heads / work->group;
  const int64_t sample = index / shares, shared = index % shares;
  const int64_t queries = work->queries.count;
  float *next = Call_memory(
      sizeof(float) * ((3 * queries + 6 * padded) * width + tilesSize(work)));
  if (!next) {
    work->failed = true;
    return;
  }
  AttentionHead head;
  next = prepareKeys(work, &head, sample, shared * work->group, next);
  head.valuesTransposed = next;
  head.keysGradient = head.valuesTransposed + padded * width;
  head.valuesGradient = head.keysGradient + padded * width;
  head.cotangents = head.valuesGradient + padded * width;
  head.queriesGradient = head.cotangents + queries * width;
  next = head.queriesGradient + queries * width;
  work->kind.transpose(head.valuesTransposed, head.values, padded, width);
  memset(head.keysGradient, 0, 2 * padded * width * sizeof(float));
  Tokens to;
  for (int64_t i = 0; i < work->group; i++) {
    const int64_t number = shared * work->group + i;
    float *tiles = prepareQueries(work, &head, sample, number, next);
    work->kind.copyRows(
        head.cotangents, width, queries, at(work->cotangents, sample, number, columns),
        work->cotangents.stride, queries, columns, 1);
    work->kind.backward(&head, tiles);
    to = work->queriesGradient;
    to.data = at(to, sample, number, columns);
    writeRows(to, head.queriesGradient, width, columns, work->scale);
  }
  to = work->keysGradient;
  to.data = at(to, sample, shared, columns);
  writeRows(to, head.keysGradient, width, columns, 1 / LOG2_E);
  to = work->valuesGradient;
  to.data = at(to, sample, shared, columns);
  writeRows(to, head.valuesGradient, width, columns, 1);
}

// `[batch, tokens, heads, columns]`, or one of the three of `[batch, tokens, 3, heads, columns]`.
static Tokens tokens(const XLA_FFI_Buffer *buffer, int place) {
  const int64_t *sizes = buffer->sizes;
  int64_t token = sizes[buffer->rank - 2] * sizes[buffer->rank - 1];
  bool packed = buffer->rank == 5;
  return (Tokens){
      (float *)buffer->data + (packed ? place * token : 0), sizes[1], packed ? 3 * token : token};
}

// Reads queries, keys and values from the first buffers, and lengths, mask and bias, for which
// attribute `given` has a 1, from the last ones. Returns the number of buffers of the former, or 0
// where an argument is missing.
static int readOperands(XLA_FFI_Frame *frame, int others, Work *work) {
  int64_t given[3];
  if (frame->arguments.size < 1 || !Call_float(frame, "scale", &work->scale) ||
      !Call_float(frame, "soft_cap", &work->softCap) ||
      !Call_numbers(frame, "band", 2, work->band) || !Call_numbers(frame, "given", 3, given) ||
      !Call_numbers(frame, "mask", 4, work->maskStrides) ||
      !Call_numbers(frame, "bias", 4, work->biasStrides))
    return 0;
  const XLA_FFI_Buffer *first = Call_argument(frame, 0);
  int inputs = first->rank == 5 ? 1 : 3, next = inputs + others;
  if (frame->arguments.size != next + given[0] + given[1] + given[2]) return 0;
  for (int i = 0; i < next; i++)
    if (Call_argument(frame, i)->dtype != XLA_FFI_F32) return 0;
  if (given[0]) {
    const XLA_FFI_Buffer *lengths = Call_argument(frame, next++);
    if (lengths->dtype != XLA_FFI_S32) return 0;
    work->lengths = lengths->data;
  }
  if (given[1]) {
    const XLA_FFI_Buffer *mask = Call_argument(frame, next++);
    if (mask->dtype != XLA_FFI_PRED) return 0;
    work->mask = mask->data;
  }
  if (given[2]) {
    const XLA_FFI_Buffer *bias = Call_argument(frame, next++);
    if (bias->dtype != XLA_FFI_F32) return 0;
    work->bias = bias->data;
  }
  work->kind = kind();
  work->heads = first->sizes[first->rank - 2];
  const XLA_FFI_Buffer *keys = Call_argument(frame, inputs == 1 ? 0 : 1);
  work->group = work->heads / keys->sizes[keys->rank - 2];
  work->columns = first->sizes[first->rank - 1];
  work->width = up(work->columns, work->kind.lanes);
  work->queries = tokens(first, 0);
  work->keys = tokens(keys, 1);
  work->values = tokens(Call_argument(frame, inputs == 1 ? 0 : 2), 2);
  work->keysPadded = up(work->keys.count, work->kind.lanes);
  return inputs;
}

XLA_FFI_Error *Kernels_attention(XLA_FFI_Frame *frame) {
  if (Call_isQuestion(frame)) return NULL;
  Work work = {0};
  if (!readOperands(frame, 0, &work) || frame->results.size != 2)
    return Call_error(frame, "attention got unexpected arguments");
  work.out = tokens(Call_result(frame, 0), 0);
  work.logSum = Call_result(frame, 1)->data;
  // With few heads their queries are divided, so that every thread has work.
  int64_t all = Call_argument(frame, 0)->sizes[0] * work.heads;
  int64_t wanted = 2 * Call_threads(frame), most = work.queries.count / 64;
  work.parts = all >= wanted || most < 2 ? 1 : (wanted + all - 1) / all;
  if (work.parts > 1 && work.parts > most) work.parts = most;
  Call_parallel(frame, all * work.parts, forwardPart, &work);
  return work.failed ? Call_error(frame, "attention could not allocate its working memory") : NULL;
}

XLA_FFI_Error *Kernels_attentionGradient(XLA_FFI_Frame *frame) {
  if (Call_isQuestion(frame)) return NULL;
  Work work = {0};
  int inputs = readOperands(frame, 3, &work);
  if (!inputs || frame->results.size != inputs)
    return Call_error(frame, "the gradient of attention got unexpected arguments");
  work.out = tokens(Call_argument(frame, inputs), 0);
  work.logSum = Call_argument(frame, inputs + 1)->data;
  work.cotangents = tokens(Call_argument(frame, inputs + 2), 0);
  work.queriesGradient = tokens(Call_result(frame, 0), 0);
  work.keysGradient = tokens(Call_result(frame, inputs == 1 ? 0 : 1), 1);
  work.valuesGradient = tokens(Call_result(frame, inputs == 1 ? 0 : 2), 2);
  int64_t all = Call_argument(frame, 0)->sizes[0] * (work.heads / work.group);
  Call_parallel(frame, all, backwardPart, &work);
  return work.failed ? Call_error(frame, "the gradient of attention could not allocate its working memory") : NULL;
}
