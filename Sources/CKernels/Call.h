// What every handler does: read its frame, report mistakes, share its work among threads.

#ifndef TWINFLOW_CALL_H
#define TWINFLOW_CALL_H

#include <stdbool.h>

#include "CFFI.h"

// Answers a question for the version; false where the kernel is really called.
bool Call_isQuestion(XLA_FFI_Frame *frame);

// An error that the program ends with.
XLA_FFI_Error *Call_error(XLA_FFI_Frame *frame, const char *message);

// Whether the frame has as many arguments and results, all of them f32.
bool Call_takes(XLA_FFI_Frame *frame, int64_t arguments, int64_t results);

// An attribute's whole numbers, of which there must be as many; false where it is missing.
bool Call_numbers(XLA_FFI_Frame *frame, const char *name, int64_t count, int64_t *values);

// An attribute's f32 number; false where it is missing.
bool Call_float(XLA_FFI_Frame *frame, const char *name, float *value);

static inline const XLA_FFI_Buffer *Call_argument(const XLA_FFI_Frame *frame, int i) {
  return frame->arguments.buffers[i];
}

static inline const XLA_FFI_Buffer *Call_result(const XLA_FFI_Frame *frame, int i) {
  return frame->results.buffers[i];
}

// Memory of the calling thread, which its next call takes over; null where there is not enough.
void *Call_memory(size_t size);

// The threads that a call can have.
int64_t Call_threads(XLA_FFI_Frame *frame);

// Runs `body` for each number below `count`, on the calling thread and XLA's own, and waits. A
// thread that is free takes the next number, so parts may be uneven.
void Call_parallel(
    XLA_FFI_Frame *frame, int64_t count, void (*body)(void *context, int64_t index),
    void *context);

#endif
