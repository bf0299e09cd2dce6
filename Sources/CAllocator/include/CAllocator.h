// jemalloc takes the place of the C library's allocator in every program of this package, plugins
// that are loaded at run time included.

#ifndef TWINFLOW_CALLOCATOR_H
#define TWINFLOW_CALLOCATOR_H

#include <stdint.h>

// How jemalloc is set up, unless the environment variable MALLOC_CONF says otherwise.
extern const char *malloc_conf;

// The bytes of memory that the machine, or the control group of this process, has at most, swap
// included; UINT64_MAX where that is not known.
uint64_t CAllocator_Memory(void);

// Has an allocation fail that the machine's memory could never hold. jemalloc reserves addresses
// without asking whether there is memory, so that the process would be killed in using them.
void CAllocator_LimitToMemory(void);

#endif
