// Counts the time of each kernel that a program runs on an NVIDIA GPU, and prints the table at its end.
//
//   gcc -shared -fPIC -I CUDA/include kernels.c -o libkernels.so -L CUDA/lib -l:libcupti.so.13
//   CUDA_INJECTION64_PATH=$PWD/libkernels.so KERNELS=table.txt PROGRAM
//
// With KERNELS_LAST=seconds only kernels of the last seconds count, which leaves out warming up.
#include <cupti.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { buffer_size = 8 << 20, most_records = 1 << 22 };

typedef struct {
  const char *name;
  uint64_t start, end;
} Record;

typedef struct {
  const char *name;
  uint64_t time, count;
} Total;

static Record *records;
static size_t record_count;

static void CUPTIAPI give_buffer(uint8_t **buffer, size_t *size, size_t *most) {
  *buffer = aligned_alloc(8, buffer_size);
  *size = *buffer ? buffer_size : 0;
  *most = 0;
}

static void record(const char *name, uint64_t start, uint64_t end) {
  if (record_count < most_records) records[record_count++] = (Record){strdup(name), start, end};
}

static void CUPTIAPI take_buffer(
  CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid) {
  (void)context, (void)stream, (void)size;
  CUpti_Activity *each = NULL;
  while (cuptiActivityGetNextRecord(buffer, valid, &each) == CUPTI_SUCCESS) {
    if (each->kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL) {
      CUpti_ActivityKernel10 *kernel = (CUpti_ActivityKernel10 *)each;
      record(kernel->name ? kernel->name : "?", kernel->start, kernel->end);
    } else if (each->kind == CUPTI_ACTIVITY_KIND_MEMCPY) {
      CUpti_ActivityMemcpy6 *copy = (CUpti_ActivityMemcpy6 *)each;
      record("(copy)", copy->start, copy->end);
    } else if (each->kind == CUPTI_ACTIVITY_KIND_MEMSET) {
      CUpti_ActivityMemset4 *fill = (CUpti_ActivityMemset4 *)each;
      record("(fill)", fill->start, fill->end);
    }
  }
  free(buffer);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const Record *)a)->name, ((const Record *)b)->name);
}

static int by_time(const void *a, const void *b) {
  uint64_t x = ((const Total *)a)->time, y = ((const Total *)b)->time;
  return x < y ? 1 : x > y ? -1 : 0;
}

static void finish(void) {
  cuptiActivityFlushAll(CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
  const char *path = getenv("KERNELS"), *last = getenv("KERNELS_LAST");
  FILE *file = path ? fopen(path, "w") : stderr;
  if (!file || record_count == 0) return;
  uint64_t end = 0, first = UINT64_MAX, busy = 0;
  for (size_t i = 0; i < record_count; i++)
    if (records[i].end > end) end = records[i].end;
  uint64_t span = last ? (uint64_t)(atof(last) * 1e9) : end;
  uint64_t since = span < end ? end - span : 0;
  qsort(records, record_count, sizeof *records, by_name);
  Total *totals = calloc(record_count, sizeof *totals);
  size_t count = 0;
  for (size_t i = 0; i < record_count; i++) {
    if (records[i].start < since) continue;
    if (records[i].start < first) first = records[i].start;
    if (count == 0 || strcmp(totals[count - 1].name, records[i].name) != 0)
      totals[count++].name = records[i].name;
    totals[count - 1].time += records[i].end - records[i].start;
    totals[count - 1].count++;
    busy += records[i].end - records[i].start;
  }
  qsort(totals, count, sizeof *totals, by_time);
  fprintf(file, "%.3f ms in kernels of %.3f ms\n", busy * 1e-6, (end - first) * 1e-6);
  for (size_t i = 0; i < count && i < 200; i++)
    fprintf(
      file, "%10.3f ms %8llu  %.160s\n", totals[i].time * 1e-6,
      (unsigned long long)totals[i].count, totals[i].name);
  if (file != stderr) fclose(file);
}

// What the driver calls in a program that is started with CUDA_INJECTION64_PATH.
int InitializeInjection(void) {
  records = malloc(most_records * sizeof *records);
  if (!records) return 0;
  cuptiActivityRegisterCallbacks(give_buffer, take_buffer);
  cuptiActivityEnable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
  cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMCPY);
  cuptiActivityEnable(CUPTI_ACTIVITY_KIND_MEMSET);
  atexit(finish);
  return 1;
}
