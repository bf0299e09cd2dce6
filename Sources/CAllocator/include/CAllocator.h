// jemalloc replaces the C library's allocator in every program of this package, including plugins
// that are loaded at run time.

#ifndef TWINFLOW_CALLOCATOR_H
#define TWINFLOW_CALLOCATOR_H

#include <stdint.h>

// The configuration of jemalloc, which the environment variable MALLOC_CONF overrides.
extern const char *malloc_conf;

// The memory of the machine in bytes, including swap, or the limit of this process's control group
// if that is smaller; UINT64_MAX where it is not known.
uint64_t CAllocator_Memory(void);

// The memory in bytes that this process can still allocate without swapping: what the system has
// available, within the limit of the control group, and what jemalloc has retained. UINT64_MAX where
// it is not known.
uint64_t CAllocator_Available(void);

// Makes allocations beyond the machine's memory fail. jemalloc reserves addresses regardless of the
// memory available, so that the process would be killed when using them.
void CAllocator_LimitToMemory(void);

// Gives memory that was freed, and is retained for later allocations, back to the system.
void CAllocator_Purge(void);

#endif
