// The handlers.

#ifndef TWINFLOW_KERNELS_H
#define TWINFLOW_KERNELS_H

#include "CFFI.h"

// The product of two matrices, summed over one axis of each: attribute `axes`.
XLA_FFI_Error *Kernels_matmul(XLA_FFI_Frame *frame);

// The convolution of `[batch, spatial…, channels]` with `[spatial…, channels in / groups, out]`;
// attributes `strides`, `dilation`, `low` and `high` for the padding, one number a spatial axis, and
// `groups`.
XLA_FFI_Error *Kernels_convolution(XLA_FFI_Frame *frame);

// What a convolution's cotangent and its kernel make of its input.
XLA_FFI_Error *Kernels_convolutionInputGradient(XLA_FFI_Frame *frame);

// What a convolution's input and its cotangent make of its kernel.
XLA_FFI_Error *Kernels_convolutionKernelGradient(XLA_FFI_Frame *frame);

// Attention of all heads of all samples, and the logarithms of the sums that its gradient needs: from
// queries, keys and values, apart or packed; heads of queries may share one of keys and values.
// Then, as far as attribute `given` has a 1 for them, s32 numbers of valid keys, a mask and a bias,
// whose strides are attributes `mask` and `bias`. Further attributes: `scale`, `soft_cap`, 0 for none,
// and `band`, how many keys a query sees before and after its position, −1 for all.
XLA_FFI_Error *Kernels_attention(XLA_FFI_Frame *frame);

// What a cotangent of attention makes of its queries, keys and values: from these, the results and
// the cotangent, then what attention was given. Not with a soft cap and a bias.
XLA_FFI_Error *Kernels_attentionGradient(XLA_FFI_Frame *frame);

#endif
