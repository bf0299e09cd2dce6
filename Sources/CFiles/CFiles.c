#include "CFiles.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

// The handler may run at any time and on any thread: a slot is filled before it is shown, and its
// path lies in the table, so that nothing that the handler reads is ever freed.
enum { EMPTY, CHANGING, SHOWN };

typedef struct {
  _Atomic int state;
  uintptr_t start;
  size_t size;
  char path[512];
} slot;

static slot table[CFILES_SLOTS];
// Slots from here on have never been used.
static _Atomic int used;
static struct sigaction before;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void say(const char *text) {
  size_t count = strlen(text);
  while (count > 0) {
    ssize_t done = write(STDERR_FILENO, text, count);
    if (done <= 0) return;
    text += done;
    count -= (size_t)done;
  }
}

static void handle(int number, siginfo_t *information, void *context) {
  (void)context;
  // Only the kernel's own signals have the address that was read.
  const char *path = information->si_code > 0 ? cfiles_path(information->si_addr) : NULL;
  if (path) {
    say(path);
    say(" was cut short while it was being read. Let nothing write to it while it is in use, make "
        "it whole again and start anew.\n");
    _exit(74);
  }
  // Not ours: what was there before gets it, when the instruction is repeated or by a new signal.
  sigaction(number, &before, NULL);
  if (information->si_code <= 0) raise(number);
}

static void install(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &before);
}

int cfiles_remember(const void *start, size_t size, const char *path) {
  pthread_once(&once, install);
  for (int i = 0; i < CFILES_SLOTS; i++) {
    int empty = EMPTY;
    if (!atomic_compare_exchange_strong(&table[i].state, &empty, CHANGING)) continue;
    table[i].start = (uintptr_t)start;
    table[i].size = size;
    size_t count = strlen(path);
    if (count < sizeof table[i].path) {
      memcpy(table[i].path, path, count + 1);
    } else {
      // The end says most.
      size_t kept = sizeof table[i].path - 4;
      memcpy(table[i].path, "...", 3);
      memcpy(table[i].path + 3, path + count - kept, kept + 1);
    }
    int end = atomic_load(&used);
    while (end < i + 1 && !atomic_compare_exchange_weak(&used, &end, i + 1)) {
    }
    atomic_store(&table[i].state, SHOWN);
    return i;
  }
  return -1;
}

void cfiles_forget(int place) {
  if (place >= 0 && place < CFILES_SLOTS) atomic_store(&table[place].state, EMPTY);
}

const char *cfiles_path(const void *address) {
  uintptr_t place = (uintptr_t)address;
  int end = atomic_load(&used);
  for (int i = 0; i < end; i++)
    if (atomic_load(&table[i].state) == SHOWN && place >= table[i].start &&
        place - table[i].start < table[i].size)
      return table[i].path;
  return NULL;
}
