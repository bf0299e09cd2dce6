#include "CFiles.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

// The handler may run at any time and on any thread: a slot is filled before it is published, and
// its path is in the table, so that nothing that the handler reads is ever freed.
enum { EMPTY, CHANGING, PUBLISHED };

typedef struct {
  _Atomic int state;
  uintptr_t start;
  size_t size;
  char path[512];
} slot;

static slot table[CFILES_SLOTS];
// Slots from this index on have never been used.
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
  // Only signals from the kernel have the address of the access.
  const char *path = information->si_code > 0 ? cfiles_path(information->si_addr) : NULL;
  if (path) {
    say(path);
    say(" was truncated while it was being read. Do not write to it while it is in use, restore it "
        "and start again.\n");
    _exit(74);
  }
  // Not a mapped file: the previous handler gets the signal, from the repeated instruction or
  // raised.
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
      // The end of a path identifies a file best.
      size_t length = sizeof table[i].path - 4;
      memcpy(table[i].path, "...", 3);
      memcpy(table[i].path + 3, path + count - length, length + 1);
    }
    int end = atomic_load(&used);
    while (end < i + 1 && !atomic_compare_exchange_weak(&used, &end, i + 1)) {
    }
    atomic_store(&table[i].state, PUBLISHED);
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
    if (atomic_load(&table[i].state) == PUBLISHED && place >= table[i].start &&
        place - table[i].start < table[i].size)
      return table[i].path;
  return NULL;
}
