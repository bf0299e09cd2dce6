// jemalloc takes the place of the C library's allocator in every program of this package, plugins
// that are loaded at run time included.

#ifndef TWINFLOW_CALLOCATOR_H
#define TWINFLOW_CALLOCATOR_H

// How jemalloc is set up, unless the environment variable MALLOC_CONF says otherwise.
extern const char *malloc_conf;

#endif
