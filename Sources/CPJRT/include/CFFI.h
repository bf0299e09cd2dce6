// The C interface of XLA's custom calls ("FFI", version 0.3): the declarations this project uses.
//
// A handler gets a frame with its arguments, results and attributes. During its registration it is
// called once with an extension that queries its version.

#ifndef TWINFLOW_CFFI_H
#define TWINFLOW_CFFI_H

#include <stddef.h>
#include <stdint.h>

typedef struct XLA_FFI_Error XLA_FFI_Error;
typedef struct XLA_FFI_Context XLA_FFI_Context;

typedef struct XLA_FFI_Extension {
  size_t struct_size;
  int32_t type;
  struct XLA_FFI_Extension *next;
} XLA_FFI_Extension;

#define XLA_FFI_HEAD   \
  size_t struct_size;  \
  XLA_FFI_Extension *extensions;

typedef struct XLA_FFI_Version {
  XLA_FFI_HEAD
  int32_t major;  // out
  int32_t minor;  // out
} XLA_FFI_Version;

enum { XLA_FFI_EXTENSION_METADATA = 1 };

typedef struct XLA_FFI_Metadata {
  size_t struct_size;
  XLA_FFI_Version version;  // out
  uint32_t traits;          // out
} XLA_FFI_Metadata;

typedef struct XLA_FFI_Metadata_Extension {
  XLA_FFI_Extension head;
  XLA_FFI_Metadata *metadata;
} XLA_FFI_Metadata_Extension;

enum { XLA_FFI_PRED = 1, XLA_FFI_S32 = 4, XLA_FFI_S64 = 5, XLA_FFI_F32 = 11 };
enum { XLA_FFI_INTERNAL = 13 };
enum { XLA_FFI_STAGE_EXECUTE = 3 };
enum { XLA_FFI_ATTRIBUTE_ARRAY = 1, XLA_FFI_ATTRIBUTE_SCALAR = 3 };

typedef struct XLA_FFI_Buffer {
  XLA_FFI_HEAD
  int32_t dtype;
  void *data;
  int64_t rank;
  int64_t *sizes;
} XLA_FFI_Buffer;

typedef struct XLA_FFI_Text {
  const char *start;
  size_t size;
} XLA_FFI_Text;

typedef struct XLA_FFI_Scalar {
  int32_t dtype;
  void *value;
} XLA_FFI_Scalar;

typedef struct XLA_FFI_Array {
  int32_t dtype;
  size_t size;
  void *data;
} XLA_FFI_Array;

// Arguments, and results alike.
typedef struct XLA_FFI_Buffers {
  XLA_FFI_HEAD
  int64_t size;
  int32_t *kinds;
  XLA_FFI_Buffer **buffers;
} XLA_FFI_Buffers;

typedef struct XLA_FFI_Attributes {
  XLA_FFI_HEAD
  int64_t size;
  int32_t *kinds;
  XLA_FFI_Text **names;
  void **values;
} XLA_FFI_Attributes;

typedef struct XLA_FFI_Error_Create_Args {
  XLA_FFI_HEAD
  const char *message;
  int32_t code;
} XLA_FFI_Error_Create_Args;

typedef struct XLA_FFI_ThreadPool_Schedule_Args {
  XLA_FFI_HEAD
  XLA_FFI_Context *context;
  void (*task)(void *data);
  void *data;
} XLA_FFI_ThreadPool_Schedule_Args;

typedef struct XLA_FFI_ThreadPool_NumThreads_Args {
  XLA_FFI_HEAD
  XLA_FFI_Context *context;
  int64_t *count;  // out
} XLA_FFI_ThreadPool_NumThreads_Args;

// The functions for handlers; those that are not used here have no type.
typedef struct XLA_FFI_Api {
  XLA_FFI_HEAD
  XLA_FFI_Version version;
  const void *internal;
  XLA_FFI_Error *(*Error_Create)(XLA_FFI_Error_Create_Args *);
  void *others[10];
  XLA_FFI_Error *(*ThreadPool_Schedule)(XLA_FFI_ThreadPool_Schedule_Args *);
  XLA_FFI_Error *(*ThreadPool_NumThreads)(XLA_FFI_ThreadPool_NumThreads_Args *);
} XLA_FFI_Api;

typedef struct XLA_FFI_Frame {
  XLA_FFI_HEAD
  const XLA_FFI_Api *api;
  XLA_FFI_Context *context;
  int32_t stage;
  XLA_FFI_Buffers arguments;
  XLA_FFI_Buffers results;
  XLA_FFI_Attributes attributes;
} XLA_FFI_Frame;

typedef XLA_FFI_Error *XLA_FFI_Handler(XLA_FFI_Frame *frame);

#endif
