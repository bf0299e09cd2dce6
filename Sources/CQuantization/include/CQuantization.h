#pragma once

#include <stdbool.h>
#include <stdint.h>

/// Quantizes groups of 32 numbers in 4 bits.
///
/// Of several scales, which take the number of the largest magnitude of a group to -8 or near it, the one
/// with the least squared error is taken, and then fitted to its integers by least squares. Numbers below
/// the least scale become 0.
///
/// - numbers: 32 for each group.
/// - values: 16 bytes for each group; byte i has number i in its lower half and 16 + i in its upper one,
///   each plus 8.
/// - scales: an f16 for each group.
/// - Returns false where a number is infinite or NaN, or a scale is beyond the range of f16.
bool CQuantization_fourBits(
    const float *numbers, int64_t groups, uint8_t *values, uint16_t *scales);
