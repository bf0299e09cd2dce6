#include "CAllocator.h"

#ifdef __linux__
#include <sys/resource.h>
#include <sys/sysinfo.h>
#endif

// A program's temporaries are gigabytes, allocated and freed in every run. They stay with the
// process, in huge pages where the kernel has them: zeroing new pages costs more than many a product.
const char *malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";

void CAllocator_LimitToMemory(void) {
#ifdef __linux__
  struct sysinfo machine;
  struct rlimit limit;
  if (sysinfo(&machine) != 0 || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  rlim_t memory = (rlim_t)(machine.totalram + machine.totalswap) * machine.mem_unit;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= memory) return;
  limit.rlim_cur = memory;
  setrlimit(RLIMIT_DATA, &limit);
#endif
}
