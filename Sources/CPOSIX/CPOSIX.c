#include "CPOSIX.h"

#include <errno.h>
#include <stdio.h>
#include <sys/prctl.h>

int CPOSIX_EndWithParent(int signal) {
  return prctl(PR_SET_PDEATHSIG, (unsigned long)signal, 0, 0, 0);
}

int CPOSIX_FlushOutput(void) {
  errno = 0;
  if (fflush(stdout) != 0) return errno != 0 ? errno : EIO;
  return ferror(stdout) ? -1 : 0;
}
