// Kernels for the CPU behind XLA's custom calls.

#ifndef TWINFLOW_CKERNELS_H
#define TWINFLOW_CKERNELS_H

#include <stdbool.h>

#include "CFFI.h"

typedef struct CKernel {
  // The target that programs call.
  const char *name;
  XLA_FFI_Handler *handler;
} CKernel;

// The kernels that work on this machine; the list ends with a null name. Those that need oneDNN are
// there where its library can be loaded.
const CKernel *CKernels_List(void);

#endif
