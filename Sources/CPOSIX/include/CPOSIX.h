// Functions of the system and the C library that Swift cannot call.

#ifndef TWINFLOW_CSYSTEM_H
#define TWINFLOW_CSYSTEM_H

// Requests a signal to this process when the thread that started it ends. Returns 0, or -1 with
// errno set.
int CPOSIX_EndWithParent(int signal);

// Flushes standard output. Returns 0, the error code, or -1 where an earlier write failed.
int CPOSIX_FlushOutput(void);

#endif
