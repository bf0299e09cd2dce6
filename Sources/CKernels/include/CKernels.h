// Kernels for the CPU behind XLA's custom calls.

#ifndef TWINFLOW_CKERNELS_H
#define TWINFLOW_CKERNELS_H

#include <stdbool.h>

#include "CFFI.h"

typedef struct CKernel {
  // The target of custom calls.
  const char *name;
  XLA_FFI_Handler *handler;
} CKernel;

// The kernels available on this machine, terminated by a null name. Those that need oneDNN are
// included if its library can be loaded.
const CKernel *CKernels_List(void);

#endif
