// Convolutions without groups, computed without a copy of the input. Parts of the work are ranges of
// output rows and channels, also of a single image.

#ifndef TWINFLOW_DIRECT_CONVOLUTION_H
#define TWINFLOW_DIRECT_CONVOLUTION_H

#include <stdbool.h>
#include <stdint.h>

// A convolution along three spatial axes, of which the first ones may have the size 1.
//
// The input is `[batch, spatial…, channels]`, row-major; output and kernel have any strides, in
// elements. Along each axis, output o and tap t meet input o·stride + t·dilation − low, if there is
// one; the last axis has no dilation.
typedef struct DirectConvolution {
  int64_t batch, channels, outChannels;
  int64_t input[3], output[3], taps[3], strides[3], dilation[3], low[3];
  const float *in, *kernel;
  float *out;
  int64_t kernelTap[3], kernelIn, kernelOut;
  int64_t outSample, outSpatial[3];
  // Set by `DirectConvolution_divide`: the output rows and channels of a part, the parts that the
  // channels are divided into, and the number of all parts.
  int64_t rows, columns, across, parts;
} DirectConvolution;

// Divides the work of a convolution with an output that is not empty into parts, several for each
// thread where it is large enough.
void DirectConvolution_divide(DirectConvolution *convolution, int64_t threads);

// Computes a part of the output; false where its working memory cannot be allocated.
bool DirectConvolution_part(const DirectConvolution *convolution, int64_t part);

#endif
