#include "CAllocator.h"

#ifdef __linux__
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#endif

// A program's temporaries are gigabytes, allocated and freed in every run. Freed memory is
// retained, in huge pages where the kernel supports them, because zeroing new pages is expensive.
const char *malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";

#ifdef __linux__
// The limit in a file of a control group, the largest number where there is none or it is "max".
static uint64_t group_limit(const char *folder, const char *file) {
  char path[4352], text[32];
  snprintf(path, sizeof path, "%s/%s", folder, file);
  FILE *stream = fopen(path, "re");
  if (!stream) return UINT64_MAX;
  uint64_t limit = UINT64_MAX;
  if (fgets(text, sizeof text, stream) && text[0] >= '0' && text[0] <= '9')
    limit = strtoull(text, NULL, 10);
  fclose(stream);
  return limit;
}

// The smallest limit of this process's control groups. In a container the process's group is the
// root of the visible hierarchy.
static uint64_t groups_limit(void) {
  char line[4096], folder[4224];
  uint64_t least = group_limit("/sys/fs/cgroup", "memory.max");
  uint64_t first_version = group_limit("/sys/fs/cgroup/memory", "memory.limit_in_bytes");
  if (first_version < least) least = first_version;
  FILE *groups = fopen("/proc/self/cgroup", "re");
  if (!groups) return least;
  while (fgets(line, sizeof line, groups)) {
    if (strncmp(line, "0::/", 4) != 0) continue;
    line[strcspn(line, "\n")] = 0;
    snprintf(folder, sizeof folder, "/sys/fs/cgroup%s", line + 3);
    while (strlen(folder) > strlen("/sys/fs/cgroup")) {
      uint64_t limit = group_limit(folder, "memory.max");
      if (limit < least) least = limit;
      *strrchr(folder, '/') = 0;
    }
  }
  fclose(groups);
  return least;
}
#endif

uint64_t CAllocator_Memory(void) {
#ifdef __linux__
  struct sysinfo machine;
  if (sysinfo(&machine) != 0) return UINT64_MAX;
  uint64_t memory = ((uint64_t)machine.totalram + machine.totalswap) * machine.mem_unit;
  uint64_t limit = groups_limit();
  return limit < memory ? limit : memory;
#else
  return UINT64_MAX;
#endif
}

#ifdef __linux__
// Missing where another allocator is linked.
extern int mallctl(const char *name, void *old, size_t *size, void *new, size_t new_size)
    __attribute__((weak));

// A statistic of jemalloc; 0 where there is none.
static uint64_t statistic(const char *name) {
  size_t value = 0, size = sizeof value;
  return mallctl && mallctl(name, &value, &size, NULL, 0) == 0 ? value : 0;
}

// What the system has available, UINT64_MAX where it does not say.
static uint64_t system_available(void) {
  FILE *stream = fopen("/proc/meminfo", "re");
  if (!stream) return UINT64_MAX;
  char line[256];
  unsigned long long kilobytes;
  uint64_t available = UINT64_MAX;
  while (fgets(line, sizeof line, stream))
    if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1) available = kilobytes * 1024;
  fclose(stream);
  return available;
}
#endif

uint64_t CAllocator_Available(void) {
#ifdef __linux__
  uint64_t system = system_available(), memory = CAllocator_Memory();
  if (system == UINT64_MAX || memory == UINT64_MAX) return UINT64_MAX;
  // Statistics are those of the last epoch.
  uint64_t epoch = 1;
  if (mallctl) mallctl("epoch", NULL, NULL, &epoch, sizeof epoch);
  uint64_t allocated = statistic("stats.allocated"), resident = statistic("stats.resident");
  uint64_t retained = resident > allocated ? resident - allocated : 0;
  uint64_t own = memory > allocated ? memory - allocated : 0;
  return system + retained < own ? system + retained : own;
#else
  return UINT64_MAX;
#endif
}

void CAllocator_LimitToMemory(void) {
#ifdef __linux__
  struct rlimit limit;
  uint64_t memory = CAllocator_Memory();
  if (memory == UINT64_MAX || getrlimit(RLIMIT_DATA, &limit) != 0) return;
  if (limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur <= memory) return;
  limit.rlim_cur = memory;
  setrlimit(RLIMIT_DATA, &limit);
#endif
}

void CAllocator_Purge(void) {
#ifdef __linux__
  // 4096 stands for all arenas.
  if (mallctl) mallctl("arena.4096.purge", NULL, NULL, NULL, 0);
#endif
}
