// What becomes of a mapped file that another program cuts short: reading beyond its new end raises
// SIGBUS, which only a signal handler can explain.
#ifndef CFILES_H
#define CFILES_H

#include <stddef.h>

// How many mapped files can be known at once; those beyond are left out.
#define CFILES_SLOTS 4096

// Remembers that memory belongs to a file, and handles SIGBUS from the first call on.
// Returns what `cfiles_forget` is given; -1 where the table is full.
int cfiles_remember(const void *start, size_t size, const char *path);

// Forgets a file, before its memory is given back. -1 does nothing.
void cfiles_forget(int slot);

// The path, shortened where it is very long, of the file that an address belongs to; NULL for none.
// Safe in a signal handler.
const char *cfiles_path(const void *address);

#endif
