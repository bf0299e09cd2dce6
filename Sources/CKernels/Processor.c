#include "Processor.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int64_t Processor_lanes(void) {
#if defined(__x86_64__)
  const char *limit = getenv("ONEDNN_MAX_CPU_ISA");
  bool basic = limit && strstr(limit, "SSE"), avx2 = limit && !strstr(limit, "AVX512");
  if (basic) return 4;
  if (!avx2 && __builtin_cpu_supports("avx512f")) return 16;
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") ? 8 : 4;
#else
  return 8;
#endif
}
