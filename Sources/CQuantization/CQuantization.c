#include "CQuantization.h"

#include <math.h>
#include <string.h>

// Four numbers, which the vector units of all supported processors take at once.
typedef float Lanes __attribute__((vector_size(16)));
enum { GROUP = 32, WIDTH = 4, VECTORS = GROUP / WIDTH };

typedef struct Fit {
  float error, slope;
} Fit;

static inline Lanes all(float value) { return (Lanes){value, value, value, value}; }

static inline float sum(Lanes lanes) { return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]); }

// The nearest of the integers from -8 to 7, ties to even: in 1.5 * 2^23 + q the adder rounds to a whole q.
static inline Lanes nearest(Lanes numbers) {
  const Lanes shift = all(12582912.0f);
  Lanes near = (numbers + shift) - shift;
  return __builtin_elementwise_max(__builtin_elementwise_min(near, all(7)), all(-8));
}

// The squared error of a group with a scale, and the scale that fits its integers best.
static inline Fit fit(const Lanes *numbers, float scale) {
  const Lanes factor = all(scale), inverse = all(1 / scale);
  Lanes error = all(0), product = all(0), square = all(0);
  for (int i = 0; i < VECTORS; i++) {
    Lanes integers = nearest(numbers[i] * inverse);
    Lanes difference = integers * factor - numbers[i];
    error += difference * difference;
    product += integers * numbers[i];
    square += integers * integers;
  }
  float squares = sum(square);
  return (Fit){sum(error), squares > 0 ? sum(product) / squares : 0};
}

static inline float rounded(float scale) { return (float)(_Float16)scale; }

static bool group(const float *numbers, uint8_t *values, uint16_t *scale) {
  static const float divisors[] = {-8, -8.5f, -7.5f, -9, -7, 7, 7.5f, -6.5f, -9.5f};
  // A sum with NaN or an infinity is neither above nor below others.
  float extreme = 0;
  for (int i = 0; i < GROUP; i++) {
    if (!(fabsf(numbers[i]) <= 3.4028234e38f)) return false;
    if (fabsf(numbers[i]) > fabsf(extreme)) extreme = numbers[i];
  }
  if (isinf(rounded(extreme / -8))) return false;
  Lanes lanes[VECTORS];
  memcpy(lanes, numbers, sizeof lanes);
  float best = 0, least = INFINITY, slope = 0;
  for (size_t i = 0; i < sizeof divisors / sizeof *divisors; i++) {
    float candidate = extreme / divisors[i];
    // 1 / candidate must be finite.
    if (fabsf(candidate) < 1e-8f) continue;
    Fit found = fit(lanes, candidate);
    if (found.error < least) {
      best = candidate;
      least = found.error;
      slope = found.slope;
    }
  }
  best = rounded(best);
  if (best == 0 || isinf(best)) {
    // Too small, or in f16 too large, for the best of the scales.
    best = rounded(extreme / -8);
  }
  if (best == 0) {
    memset(values, 0x88, GROUP / 2);
    *scale = 0;
    return true;
  }
  float fitted = rounded(slope);
  if (fitted != 0 && !isinf(fitted) && fit(lanes, fitted).error < fit(lanes, best).error) best = fitted;
  Lanes inverse = all(1 / best);
  for (int i = 0; i < VECTORS / 2; i++) {
    Lanes low = nearest(lanes[i] * inverse), high = nearest(lanes[VECTORS / 2 + i] * inverse);
    for (int j = 0; j < WIDTH; j++)
      values[WIDTH * i + j] = (uint8_t)((int)low[j] + 8) | (uint8_t)(((int)high[j] + 8) << 4);
  }
  _Float16 stored = (_Float16)best;
  memcpy(scale, &stored, sizeof stored);
  return true;
}

bool CQuantization_fourBits(
    const float *numbers, int64_t groups, uint8_t *values, uint16_t *scales) {
  for (int64_t i = 0; i < groups; i++)
    if (!group(numbers + GROUP * i, values + GROUP / 2 * i, scales + i)) return false;
  return true;
}
