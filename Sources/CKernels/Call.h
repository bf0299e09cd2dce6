// Functions for handlers: reading the frame, reporting errors, parallel execution.

#ifndef TWINFLOW_CALL_H
#define TWINFLOW_CALL_H

#include <stdbool.h>

#include "CFFI.h"

// Answers a query for the version; false where the kernel is executed.
bool Call_isQuestion(XLA_FFI_Frame *frame);

// An error, with which the program fails.
XLA_FFI_Error *Call_error(XLA_FFI_Frame *frame, const char *message);

// Whether the frame has the given numbers of arguments and results, all of them f32.
bool Call_takes(XLA_FFI_Frame *frame, int64_t arguments, int64_t results);

// Reads an attribute of `count` integers; false where it is missing.
bool Call_numbers(XLA_FFI_Frame *frame, const char *name, int64_t count, int64_t *values);

// Reads an f32 attribute; false where it is missing.
bool Call_float(XLA_FFI_Frame *frame, const char *name, float *value);

static inline const XLA_FFI_Buffer *Call_argument(const XLA_FFI_Frame *frame, int i) {
  return frame->arguments.buffers[i];
}

static inline const XLA_FFI_Buffer *Call_result(const XLA_FFI_Frame *frame, int i) {
  return frame->results.buffers[i];
}

// Scratch memory of the calling thread, valid until its next call; null where there is not enough.
void *Call_memory(size_t size);

// The number of threads of a call.
int64_t Call_threads(XLA_FFI_Frame *frame);

// Runs `body` for each number below `count`, on the calling thread and XLA's threads, and waits.
// Numbers are scheduled dynamically, so their work may be uneven.
void Call_parallel(
    XLA_FFI_Frame *frame, int64_t count, void (*body)(void *context, int64_t index),
    void *context);

#endif
