#include "Call.h"
#include "Kernels.h"
#include "OneDNN.h"

#ifdef TWINFLOW_ONEDNN

// A matrix multiplication of `rows` by `inner` by `columns`, with the element strides of its
// operands.
enum { ROWS, INNER, COLUMNS, LEFT_ROW, LEFT_INNER, RIGHT_INNER, RIGHT_COLUMN, OUT_ROW, SIZE };

static Layout layout(int64_t rows, int64_t columns, int64_t row, int64_t column) {
  const dnnl_dims_t sizes = {rows, columns}, strides = {row, column};
  return OneDNN_layout(2, sizes, strides);
}

static bool make(Primitive *primitive, const int64_t *key) {
  primitive->source = layout(key[ROWS], key[INNER], key[LEFT_ROW], key[LEFT_INNER]);
  primitive->weights = layout(key[INNER], key[COLUMNS], key[RIGHT_INNER], key[RIGHT_COLUMN]);
  primitive->destination = layout(key[ROWS], key[COLUMNS], key[OUT_ROW], 1);
  return OneDNN_makeMatmul(primitive);
}

typedef struct Work {
  // The full multiplication.
  int64_t key[SIZE];
  // The size of the blocks that it is divided into, and their number per row of blocks.
  int64_t rows, columns, across;
  const float *left, *right;
  float *out;
  _Atomic bool failed;
} Work;

static void block(void *context, int64_t index) {
  Work *work = context;
  int64_t row = index / work->across * work->rows, column = index % work->across * work->columns;
  int64_t key[SIZE];
  for (int i = 0; i < SIZE; i++) key[i] = work->key[i];
  if (key[ROWS] - row < work->rows) key[ROWS] -= row; else key[ROWS] = work->rows;
  if (key[COLUMNS] - column < work->columns) key[COLUMNS] -= column;
  else key[COLUMNS] = work->columns;
  const Primitive *primitive = OneDNN_primitive(key, SIZE, make);
  const Operand operands[] = {
      {DNNL_ARG_SRC, primitive ? primitive->source : NULL,
       (float *)work->left + row * key[LEFT_ROW]},
      {DNNL_ARG_WEIGHTS, primitive ? primitive->weights : NULL,
       (float *)work->right + column * key[RIGHT_COLUMN]},
      {DNNL_ARG_DST, primitive ? primitive->destination : NULL,
       work->out + row * key[OUT_ROW] + column},
  };
  if (!primitive || !OneDNN_run(primitive, operands, 3)) work->failed = true;
}

static int64_t blockSize(int64_t size, int64_t count, int64_t step) {
  int64_t each = (size + count - 1) / count;
  return (each + step - 1) / step * step;
}

XLA_FFI_Error *Kernels_matmul(XLA_FFI_Frame *frame) {
  if (Call_isQuestion(frame)) return NULL;
  int64_t axes[2];
  if (!Call_takes(frame, 2, 1) || !Call_numbers(frame, "axes", 2, axes))
    return Call_error(frame, "a matrix multiplication got arguments other than two matrices in f32");
  const XLA_FFI_Buffer *left = Call_argument(frame, 0), *right = Call_argument(frame, 1);
  int64_t rows = left->sizes[1 - axes[0]], inner = left->sizes[axes[0]];
  int64_t columns = right->sizes[1 - axes[1]];
  Work work = {
      .left = left->data, .right = right->data, .out = Call_result(frame, 0)->data,
      .key = {
          [ROWS] = rows, [INNER] = inner, [COLUMNS] = columns,
          [LEFT_ROW] = axes[0] == 1 ? inner : 1, [LEFT_INNER] = axes[0] == 1 ? 1 : rows,
          [RIGHT_INNER] = axes[1] == 0 ? columns : 1, [RIGHT_COLUMN] = axes[1] == 0 ? 1 : inner,
          [OUT_ROW] = columns}};
  int64_t threads = Call_threads(frame);
  // Smaller blocks cost more to schedule than to compute.
  int64_t blocks = rows * inner * columns / (8 << 20);
  work.rows = rows;
  work.columns = columns;
  if (threads > 1 && blocks > 1) {
    int64_t most = rows >= columns ? 4 * threads : 2 * threads;
    if (blocks > most) blocks = most;
    if (rows >= columns) work.rows = blockSize(rows, blocks, 64);
    else work.columns = blockSize(columns, blocks, 64);
  }
  work.across = (columns + work.columns - 1) / work.columns;
  int64_t down = (rows + work.rows - 1) / work.rows;
  Call_parallel(frame, down * work.across, block, &work);
  return work.failed ? Call_error(frame, "oneDNN could not compute a matrix multiplication") : NULL;
}

#endif
