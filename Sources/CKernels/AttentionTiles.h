// Attention of one head, for one kind of processor; included once for each.
//
// The including file defines LANES, the number of f32 in a vector, ROWS and VECTORS, the size of a
// register tile, and NAME(), which makes names unique. The registers hold the tile, a row's element
// in all lanes, and VECTORS vectors of the other operand.

typedef float NAME(Vector) __attribute__((ext_vector_type(LANES)));
typedef float NAME(Loose) __attribute__((ext_vector_type(LANES), aligned(4)));
typedef int32_t NAME(Whole) __attribute__((ext_vector_type(LANES)));

static inline __attribute__((always_inline)) NAME(Vector) NAME(load)(const float *from) {
  return *(const NAME(Loose) *)from;
}

static inline __attribute__((always_inline)) void NAME(store)(float *to, NAME(Vector) vector) {
  *(NAME(Loose) *)to = vector;
}

// 2 to the power of x, for x ≤ 0, with a relative error of 2e−7. NaN is preserved.
static inline __attribute__((always_inline)) NAME(Vector) NAME(exp2)(NAME(Vector) x) {
  const float shift = 12582912;  // Adding it leaves no digit behind the point.
  const NAME(Vector) given = x;
  x = __builtin_elementwise_max(x, (NAME(Vector))(-126.0f));
  NAME(Vector) shifted = x + shift;
  NAME(Vector) f = x - (shifted - shift);
  NAME(Vector) y = 1.5403530e-4f;
  y = y * f + 1.3333558e-3f;
  y = y * f + 9.6181291e-3f;
  y = y * f + 5.5504109e-2f;
  y = y * f + 2.4022651e-1f;
  y = y * f + 6.9314718e-1f;
  y = y * f + 1.0f;
  NAME(Whole) bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  NAME(Whole) exponent = bits << 23;
  __builtin_memcpy(&bits, &y, sizeof bits);
  bits += exponent;
  __builtin_memcpy(&y, &bits, sizeof y);
  return given == given ? y : given;
}

// c (+)= a·b for `rows` by `vectors`·LANES, with the strides of the rows of b and c, and the
// strides `row` and `inner` of a.
static inline __attribute__((always_inline)) void NAME(tile)(
    int rows, int vectors, int64_t depth, const float *a, int64_t row, int64_t inner, const float *b,
    int64_t bRow, float *c, int64_t cRow, bool adds) {
  NAME(Vector) sums[ROWS][VECTORS];
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      sums[i][j] = adds ? NAME(load)(c + i * cRow + j * LANES) : (NAME(Vector))(0.0f);
  for (int64_t k = 0; k < depth; k++) {
    NAME(Vector) right[VECTORS];
    for (int j = 0; j < vectors; j++) right[j] = NAME(load)(b + k * bRow + j * LANES);
    for (int i = 0; i < rows; i++) {
      float left = a[i * row + k * inner];
      for (int j = 0; j < vectors; j++) sums[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++) NAME(store)(c + i * cRow + j * LANES, sums[i][j]);
}

#define TILE(count, vectors) \
  case vectors: NAME(tile)(count, vectors, depth, a, row, inner, b, bRow, c, cRow, adds); break;

#if VECTORS > 2
#define TILE_ROWS(count) \
  case count:            \
    switch (vectors) {   \
      TILE(count, 1)     \
      TILE(count, 2)     \
      TILE(count, 3)     \
      TILE(count, 4)     \
    }                    \
    break;
#else
#define TILE_ROWS(count) \
  case count:            \
    switch (vectors) {   \
      TILE(count, 1)     \
      TILE(count, 2)     \
    }                    \
    break;
#endif

static void NAME(tiles)(
    int64_t rows, int vectors, int64_t depth, const float *a, int64_t row, int64_t inner,
    const float *b, int64_t bRow, float *c, int64_t cRow, bool adds) {
  for (int64_t i = 0; i < rows; i += ROWS, a += ROWS * row, c += ROWS * cRow) {
    switch (rows - i < ROWS ? rows - i : ROWS) {
      TILE_ROWS(1)
      TILE_ROWS(2)
      TILE_ROWS(3)
      TILE_ROWS(4)
      TILE_ROWS(5)
      TILE_ROWS(6)
    }
  }
}

#undef TILE
#undef TILE_ROWS

// c (+)= a·b; the columns are a multiple of LANES.
static void NAME(matmul)(
    int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t row, int64_t inner,
    const float *b, int64_t bRow, float *c, int64_t cRow, bool adds) {
  for (int64_t j = 0; j < columns; j += VECTORS * LANES) {
    int64_t vectors = (columns - j) / LANES;
    NAME(tiles)(
        rows, vectors < VECTORS ? (int)vectors : VECTORS, depth, a, row, inner, b + j, bRow, c + j,
        cRow, adds);
  }
}

static float NAME(sum)(NAME(Vector) vector) {
  float sum = 0;
  for (int i = 0; i < LANES; i++) sum += vector[i];
  return sum;
}

static float NAME(greatest)(NAME(Vector) vector) {
  float greatest = vector[0];
  for (int i = 1; i < LANES; i++) greatest = greatest < vector[i] ? vector[i] : greatest;
  return greatest;
}

// Copies rows, times a factor, padded with zeros to `width` columns and `padded` rows.
static void NAME(copyRows)(
    float *to, int64_t width, int64_t padded, const float *from, int64_t stride, int64_t rows,
    int64_t columns, float factor) {
  for (int64_t i = 0; i < padded; i++, to += width, from += stride) {
    int64_t count = i < rows ? columns : 0;
    for (int64_t j = 0; j < count; j++) to[j] = from[j] * factor;
    for (int64_t j = count; j < width; j++) to[j] = 0;
  }
}

// Transposes to `width` rows of `padded` elements.
static void NAME(transpose)(float *to, const float *from, int64_t padded, int64_t width) {
  for (int64_t first = 0; first < padded; first += LANES)
    for (int64_t j = 0; j < width; j++)
      for (int64_t i = 0; i < LANES; i++) to[j * padded + first + i] = from[(first + i) * width + j];
}

// The hyperbolic tangent, with an absolute error of 2e−7. NaN is preserved.
static inline __attribute__((always_inline)) NAME(Vector) NAME(tanh)(NAME(Vector) x) {
  NAME(Vector) small = NAME(exp2)(__builtin_elementwise_abs(x) * (-2 * LOG2_E));
  NAME(Vector) y = (1.0f - small) / (1.0f + small);
  return x < 0.0f ? -y : y;
}

// The scores of a tile of queries with a block of keys, in units of log 2; HIDDEN for hidden keys
// and beyond the last key.
static void NAME(scores)(
    const AttentionHead *head, int64_t query, int64_t queries, int64_t key, int64_t keys,
    float *scores, int64_t stride) {
  int64_t columns = up(keys, LANES);
  NAME(matmul)(
      queries, columns, head->width, head->queries + query * head->width, head->width, 1,
      head->keysTransposed + key, head->keysPadded, scores, stride, false);
  for (int64_t i = 0; i < queries; i++) {
    float *row = scores + i * stride;
    if (head->softCap > 0)
      for (int64_t j = 0; j < columns; j += LANES)
        NAME(store)(row + j, NAME(tanh)(NAME(load)(row + j) / head->softCap) * head->softCap);
    if (head->bias) {
      const float *bias = head->bias + (query + i) * head->biasQuery + key * head->biasKey;
      for (int64_t j = 0; j < keys; j++) row[j] += bias[j * head->biasKey] * LOG2_E;
    }
    if (head->mask) {
      const uint8_t *mask = head->mask + (query + i) * head->maskQuery + key * head->maskKey;
      for (int64_t j = 0; j < keys; j++)
        if (!mask[j * head->maskKey]) row[j] = HIDDEN;
    }
    KeyRange visible = visibleKeys(head, query + i, query + i + 1);
    int64_t from = visible.from - key, to = visible.to - key;
    for (int64_t j = 0; j < from && j < columns; j++) row[j] = HIDDEN;
    for (int64_t j = to < 0 ? 0 : to; j < columns; j++) row[j] = HIDDEN;
  }
}

static void NAME(forward)(AttentionHead *head, int64_t from, int64_t to, float *scores) {
  const int64_t width = head->width;
  float *mixed = scores + QUERY_TILE * KEY_BLOCK;
  const int64_t tile = queryTile(to - from);
  for (int64_t query = from; query < to; query += tile) {
    int64_t queries = to - query < tile ? to - query : tile;
    float most[QUERY_TILE], total[QUERY_TILE];
    for (int64_t i = 0; i < queries; i++) most[i] = -INFINITY, total[i] = 0;
    const KeyRange range = visibleKeys(head, query, query + queries);
    const int64_t start = range.from / LANES * LANES;
    for (int64_t key = start; key < range.to; key += KEY_BLOCK) {
      int64_t keys = range.to - key < KEY_BLOCK ? range.to - key : KEY_BLOCK;
      int64_t columns = up(keys, LANES);
      bool isFirst = key == start;
      NAME(scores)(head, query, queries, key, keys, scores, KEY_BLOCK);
      for (int64_t i = 0; i < queries; i++) {
        float *row = scores + i * KEY_BLOCK;
        NAME(Vector) best = NAME(load)(row);
        for (int64_t j = LANES; j < columns; j += LANES) {
          NAME(Vector) each = NAME(load)(row + j);
          best = __builtin_elementwise_max(best, each);
        }
        float now = NAME(greatest)(best);
        now = now < most[i] ? most[i] : now;
        now = now < HIDDEN ? HIDDEN : now;
        NAME(Vector) sum = 0.0f;
        for (int64_t j = 0; j < columns; j += LANES) {
          NAME(Vector) each = NAME(exp2)(NAME(load)(row + j) - now);
          NAME(store)(row + j, each);
          sum += each;
        }
        // Sums over hidden keys only are scaled to 0 by the first visible key.
        float correction = isFirst ? 0 : exp2f(most[i] - now);
        total[i] = total[i] * correction + NAME(sum)(sum);
        most[i] = now;
        if (!isFirst)
          for (int64_t j = 0; j < width; j++) mixed[i * width + j] *= correction;
      }
      NAME(matmul)(
          queries, width, keys, scores, KEY_BLOCK, 1, head->values + key * width, width, mixed,
          width, !isFirst);
    }
    for (int64_t i = 0; i < queries; i++) {
      float *out = head->out + (query + i) * head->outStride;
      // The output of a query that sees no key is 0, and so are its weights for the gradient.
      bool isBlind = most[i] <= HIDDEN;
      float share = 1 / total[i];
      for (int64_t j = 0; j < head->columns; j++)
        out[j] = isBlind ? 0 : mixed[i * width + j] * share;
      head->logSum[query + i] = isBlind ? -HIDDEN : most[i] + log2f(total[i]);
    }
  }
}

// Accumulates the gradients of keys and values; writes those of queries.
static void NAME(backward)(AttentionHead *head, float *scores) {
  const int64_t width = head->width;
  float *slopes = scores + QUERY_TILE * KEY_BLOCK;
  const int64_t tile = queryTile(head->queryCount);
  for (int64_t query = 0; query < head->queryCount; query += tile) {
    int64_t left = head->queryCount - query, queries = left < tile ? left : tile;
    const float *cotangents = head->cotangents + query * width;
    float along[QUERY_TILE];
    for (int64_t i = 0; i < queries; i++) {
      const float *out = head->out + (query + i) * head->outStride;
      float sum = 0;
      for (int64_t j = 0; j < head->columns; j++) sum += out[j] * cotangents[i * width + j];
      along[i] = sum;
    }
    const KeyRange range = visibleKeys(head, query, query + queries);
    const int64_t start = range.from / LANES * LANES;
    if (start >= range.to)
      memset(head->queriesGradient + query * width, 0, queries * width * sizeof(float));
    for (int64_t key = start; key < range.to; key += KEY_BLOCK) {
      int64_t keys = range.to - key < KEY_BLOCK ? range.to - key : KEY_BLOCK;
      int64_t columns = up(keys, LANES);
      NAME(scores)(head, query, queries, key, keys, scores, KEY_BLOCK);
      NAME(matmul)(
          queries, columns, width, cotangents, width, 1, head->valuesTransposed + key,
          head->keysPadded, slopes, KEY_BLOCK, false);
      for (int64_t i = 0; i < queries; i++) {
        float *weights = scores + i * KEY_BLOCK, *slope = slopes + i * KEY_BLOCK;
        float logSum = head->logSum[query + i];
        for (int64_t j = 0; j < columns; j += LANES) {
          NAME(Vector) score = NAME(load)(weights + j);
          NAME(Vector) weight = NAME(exp2)(score - logSum);
          NAME(store)(weights + j, weight);
          NAME(Vector) each = weight * (NAME(load)(slope + j) - along[i]);
          if (head->softCap > 0) {
            // Hidden scores are far below the others.
            NAME(Vector) t = __builtin_elementwise_max(score / head->softCap, (NAME(Vector))(-1.0f));
            each *= 1.0f - t * t;
          }
          NAME(store)(slope + j, each);
        }
      }
      NAME(matmul)(
          keys, width, queries, scores, 1, KEY_BLOCK, cotangents, width,
          head->valuesGradient + key * width, width, true);
      NAME(matmul)(
          keys, width, queries, slopes, 1, KEY_BLOCK, head->queries + query * width, width,
          head->keysGradient + key * width, width, true);
      NAME(matmul)(
          queries, width, keys, slopes, KEY_BLOCK, 1, head->keys + key * width, width,
          head->queriesGradient + query * width, width, key != start);
    }
  }
}
