// What the kernels need to know of the processor.

#ifndef TWINFLOW_PROCESSOR_H
#define TWINFLOW_PROCESSOR_H

#include <stdint.h>

// The number of f32 in a vector of the kernels: 16 with AVX-512, 8 with AVX2 and FMA, 4 otherwise
// on x86; 8 elsewhere. Respects the environment variable that limits oneDNN's instruction set.
int64_t Processor_lanes(void);

#endif
