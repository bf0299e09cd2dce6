// jemalloc takes the place of the C library's allocator in every program of this package, plugins
// that are loaded at run time included.

#ifndef TWINFLOW_CALLOCATOR_H
#define TWINFLOW_CALLOCATOR_H

// How jemalloc is set up, unless the environment variable MALLOC_CONF says otherwise.
extern const char *malloc_conf;

// Has an allocation fail that the machine's memory could never hold. jemalloc reserves addresses
// without asking whether there is memory, so that the process would be killed in using them.
void CAllocator_LimitToMemory(void);

#endif
