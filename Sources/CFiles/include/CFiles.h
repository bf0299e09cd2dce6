// Reports mapped files that another program truncates: reading beyond the new end raises SIGBUS,
// which only a signal handler can explain.
#ifndef CFILES_H
#define CFILES_H

#include <stddef.h>

// The largest number of mapped files at a time; further ones are not reported.
#define CFILES_SLOTS 4096

// Registers the memory of a mapped file; the first call installs the handler of SIGBUS.
// Returns the slot for `cfiles_forget`, -1 where the table is full.
int cfiles_remember(const void *start, size_t size, const char *path);

// Unregisters a file before its memory is unmapped. -1 does nothing.
void cfiles_forget(int slot);

// The path, shortened if it is very long, of the file that an address belongs to; NULL for none.
// Safe in a signal handler.
const char *cfiles_path(const void *address);

#endif
