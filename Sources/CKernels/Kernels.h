// The handlers.

#ifndef TWINFLOW_KERNELS_H
#define TWINFLOW_KERNELS_H

#include "CFFI.h"

// The multiplication of two matrices, contracted over one axis of each: attribute `axes`.
XLA_FFI_Error *Kernels_matmul(XLA_FFI_Frame *frame);

// The convolution of `[batch, spatial…, channels]` with `[spatial…, channels in / groups, out]`;
// attributes `strides`, `dilation`, `low` and `high` for the padding, one number per spatial axis,
// and `groups`.
XLA_FFI_Error *Kernels_convolution(XLA_FFI_Frame *frame);

// The gradient of a convolution with respect to its input, from cotangent and kernel.
XLA_FFI_Error *Kernels_convolutionInputGradient(XLA_FFI_Frame *frame);

// The gradient of a convolution with respect to its kernel, from input and cotangent.
XLA_FFI_Error *Kernels_convolutionKernelGradient(XLA_FFI_Frame *frame);

// Attention of all heads of all samples, and the logarithms of the sums that its gradient needs.
// The arguments are queries, keys and values, separate or packed, with possibly fewer heads of keys
// and values; then s32 numbers of valid keys, a mask and a bias, for which attribute `given` has a
// 1 and whose strides are attributes `mask` and `bias`. Further attributes: `scale`, `soft_cap`, 0
// for none, and `band`, the numbers of keys that a query sees before and after its position, −1 for
// all.
XLA_FFI_Error *Kernels_attention(XLA_FFI_Frame *frame);

// The gradient of attention with respect to queries, keys and values, from these, the results and
// the cotangent, then the further arguments of attention. A soft cap together with a bias is not
// supported.
XLA_FFI_Error *Kernels_attentionGradient(XLA_FFI_Frame *frame);

#endif
