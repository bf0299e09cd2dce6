// What the system and the C library offer, and Swift cannot call.

#ifndef TWINFLOW_CSYSTEM_H
#define TWINFLOW_CSYSTEM_H

// Has the system send a signal to this process when the thread that started it ends. Returns 0, or
// -1 with errno set.
int CSystem_EndWithParent(int signal);

// Writes out what was printed to standard output. Returns 0, the code of the error, or -1 where an
// earlier write has failed.
int CSystem_FlushOutput(void);

#endif
