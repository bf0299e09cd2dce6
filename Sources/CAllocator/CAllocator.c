#include "CAllocator.h"

// A program's temporaries are gigabytes, allocated and freed in every run. They stay with the
// process, in huge pages where the kernel has them: zeroing new pages costs more than many a product.
const char *malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,thp:always";
