// The inner part of convolutions, for one kind of processor; included once for each.
//
// The including file defines LANES, the number of f32 in a vector, VECTORS, those of a register
// tile beside each other, and NAME(), which makes names unique.

typedef float NAME(Vector) __attribute__((ext_vector_type(LANES)));

// Adds the products of `rows` windows, from element `start` of each, with the packed kernel of
// `vectors`·LANES channels.
static inline __attribute__((always_inline)) void NAME(tile)(
    int rows, int vectors, int64_t depth, const Window *windows, int64_t start, const float *kernel,
    float *all) {
  NAME(Vector) sums[MOST_ROWS][VECTORS];
  const float *inputs[MOST_ROWS];
  for (int i = 0; i < rows; i++) {
    inputs[i] = windows[i].input + start;
    for (int j = 0; j < vectors; j++)
      sums[i][j] = *(NAME(Vector) *)(all + (windows[i].place * vectors + j) * LANES);
  }
#pragma clang loop unroll_count(2)
  for (int64_t k = 0; k < depth; k++, kernel += vectors * LANES) {
    NAME(Vector) right[VECTORS];
    for (int j = 0; j < vectors; j++) right[j] = *(const NAME(Vector) *)(kernel + j * LANES);
    for (int i = 0; i < rows; i++) {
      float left = inputs[i][k];
      for (int j = 0; j < vectors; j++) sums[i][j] += left * right[j];
    }
  }
  for (int i = 0; i < rows; i++)
    for (int j = 0; j < vectors; j++)
      *(NAME(Vector) *)(all + (windows[i].place * vectors + j) * LANES) = sums[i][j];
}

#define TILE(rows, vectors) \
  case rows: NAME(tile)(rows, vectors, depth, windows, start, kernel, sums); break;

#define TILE_ROWS(vectors)                                                 \
  case vectors:                                                            \
    for (int64_t i = 0; i < count; i += MOST_ROWS, windows += MOST_ROWS)   \
      switch (count - i < MOST_ROWS ? count - i : MOST_ROWS) {             \
        TILE(1, vectors)                                                   \
        TILE(2, vectors)                                                   \
        TILE(3, vectors)                                                   \
        TILE(4, vectors)                                                   \
        TILE(5, vectors)                                                   \
        TILE(6, vectors)                                                   \
      }                                                                    \
    break;

static void NAME(multiply)(
    int64_t count, int64_t vectors, int64_t depth, const Window *windows, int64_t start,
    const float *kernel, float *sums) {
  switch (vectors) {
    TILE_ROWS(1)
    TILE_ROWS(2)
#if VECTORS > 2
    TILE_ROWS(3)
    TILE_ROWS(4)
#endif
  }
}

#undef TILE
#undef TILE_ROWS
