#include "CKernels.h"

#include <pthread.h>

#include "Kernels.h"
#include "OneDNN.h"

static CKernel kernels[8];

static void collect(void) {
  CKernel *next = kernels;
  *next++ = (CKernel){"twinflow_attention", Kernels_attention};
  *next++ = (CKernel){"twinflow_attention_gradient", Kernels_attentionGradient};
#ifdef TWINFLOW_ONEDNN
  if (OneDNN_load()) {
    *next++ = (CKernel){"twinflow_matmul", Kernels_matmul};
    *next++ = (CKernel){"twinflow_convolution", Kernels_convolution};
    *next++ = (CKernel){
        "twinflow_convolution_input_gradient", Kernels_convolutionInputGradient};
    *next++ = (CKernel){
        "twinflow_convolution_kernel_gradient", Kernels_convolutionKernelGradient};
  }
#endif
  *next = (CKernel){0};
}

const CKernel *CKernels_List(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, collect);
  return kernels;
}
