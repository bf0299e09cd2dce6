// The C interface of ONNX Runtime: the declarations this project uses, and no code.
//
// The library exports OrtGetApiBase. GetApi returns a table of functions for a version of the interface, null
// for a version that the library does not have; later versions only append to the table. The order of the
// members is that of `struct OrtApi` in include/onnxruntime/core/session/onnxruntime_c_api.h of
// github.com/microsoft/onnxruntime, version 13 of the interface, which came with ONNX Runtime 1.13. Members
// that are not called are declared without a type, `unused_` with the number of the first one, and those after
// the last one that is called are left out.

#ifndef TWINFLOW_CONNXRUNTIME_H
#define TWINFLOW_CONNXRUNTIME_H

#include <stddef.h>
#include <stdint.h>

// The version of the interface that is asked for.
#define TWINFLOW_ORT_VERSION 13

typedef struct OrtStatus OrtStatus;
typedef struct OrtEnv OrtEnv;
typedef struct OrtSession OrtSession;
typedef struct OrtSessionOptions OrtSessionOptions;
typedef struct OrtRunOptions OrtRunOptions;
typedef struct OrtValue OrtValue;
typedef struct OrtTypeInfo OrtTypeInfo;
typedef struct OrtTensorTypeAndShapeInfo OrtTensorTypeAndShapeInfo;
typedef struct OrtMemoryInfo OrtMemoryInfo;
typedef struct OrtModelMetadata OrtModelMetadata;
typedef struct OrtAllocator OrtAllocator;

enum {
  // Only what ends the process is logged; other errors are returned.
  ORT_LOGGING_FATAL = 4,
  ORT_ELEMENT_FLOAT = 1,
  ORT_ALLOCATOR_DEVICE = 0,
  ORT_MEMORY_DEFAULT = 0,
};

// Every function that returns a status returns null on success. Strings that are given out belong to the
// allocator that was passed, and what is created or given out otherwise is released by its own function.
typedef struct OrtApi {
  void *unused_0[2];
  const char *(*GetErrorMessage)(const OrtStatus *status);
  OrtStatus *(*CreateEnv)(int32_t severity, const char *name, OrtEnv **out);
  void *unused_4[3];
  OrtStatus *(*CreateSession)(
      const OrtEnv *env, const char *path, const OrtSessionOptions *options, OrtSession **out);
  void *unused_8;
  OrtStatus *(*Run)(
      OrtSession *session, const OrtRunOptions *options, const char *const *input_names,
      const OrtValue *const *inputs, size_t input_count, const char *const *output_names,
      size_t output_count, OrtValue **outputs);
  OrtStatus *(*CreateSessionOptions)(OrtSessionOptions **out);
  void *unused_11[8];
  OrtStatus *(*DisableCpuMemArena)(OrtSessionOptions *options);
  void *unused_20[2];
  OrtStatus *(*SetSessionLogSeverityLevel)(OrtSessionOptions *options, int severity);
  void *unused_23[7];
  OrtStatus *(*SessionGetInputCount)(const OrtSession *session, size_t *out);
  OrtStatus *(*SessionGetOutputCount)(const OrtSession *session, size_t *out);
  void *unused_32;
  OrtStatus *(*SessionGetInputTypeInfo)(
      const OrtSession *session, size_t place, OrtTypeInfo **out);
  OrtStatus *(*SessionGetOutputTypeInfo)(
      const OrtSession *session, size_t place, OrtTypeInfo **out);
  void *unused_35;
  OrtStatus *(*SessionGetInputName)(
      const OrtSession *session, size_t place, OrtAllocator *allocator, char **out);
  OrtStatus *(*SessionGetOutputName)(
      const OrtSession *session, size_t place, OrtAllocator *allocator, char **out);
  void *unused_38[11];
  OrtStatus *(*CreateTensorWithDataAsOrtValue)(
      const OrtMemoryInfo *memory, void *data, size_t byte_count, const int64_t *sizes,
      size_t rank, int32_t element_type, OrtValue **out);
  void *unused_50;
  OrtStatus *(*GetTensorMutableData)(OrtValue *value, void **out);
  void *unused_52[3];
  // The result belongs to the type, and is null where that is not of a tensor.
  OrtStatus *(*CastTypeInfoToTensorInfo)(
      const OrtTypeInfo *type, const OrtTensorTypeAndShapeInfo **out);
  void *unused_56[4];
  OrtStatus *(*GetTensorElementType)(const OrtTensorTypeAndShapeInfo *info, int32_t *out);
  OrtStatus *(*GetDimensionsCount)(const OrtTensorTypeAndShapeInfo *info, size_t *out);
  OrtStatus *(*GetDimensions)(const OrtTensorTypeAndShapeInfo *info, int64_t *out, size_t count);
  void *unused_63[2];
  OrtStatus *(*GetTensorTypeAndShape)(const OrtValue *value, OrtTensorTypeAndShapeInfo **out);
  void *unused_66[3];
  OrtStatus *(*CreateCpuMemoryInfo)(
      int32_t allocator_type, int32_t memory_type, OrtMemoryInfo **out);
  void *unused_70[6];
  OrtStatus *(*AllocatorFree)(OrtAllocator *allocator, void *memory);
  void *unused_77;
  // The result is the library's own.
  OrtStatus *(*GetAllocatorWithDefaultOptions)(OrtAllocator **out);
  void *unused_79[14];
  void (*ReleaseStatus)(OrtStatus *status);
  void (*ReleaseMemoryInfo)(OrtMemoryInfo *memory);
  void (*ReleaseSession)(OrtSession *session);
  void (*ReleaseValue)(OrtValue *value);
  void *unused_97;
  void (*ReleaseTypeInfo)(OrtTypeInfo *type);
  void (*ReleaseTensorTypeAndShapeInfo)(OrtTensorTypeAndShapeInfo *info);
  void (*ReleaseSessionOptions)(OrtSessionOptions *options);
  void *unused_101[10];
  OrtStatus *(*SessionGetModelMetadata)(const OrtSession *session, OrtModelMetadata **out);
  void *unused_112[4];
  // The result is null where the model has no such key.
  OrtStatus *(*ModelMetadataLookupCustomMetadataMap)(
      const OrtModelMetadata *metadata, OrtAllocator *allocator, const char *key, char **out);
  void *unused_117;
  void (*ReleaseModelMetadata)(OrtModelMetadata *metadata);
} OrtApi;

typedef struct OrtApiBase {
  const OrtApi *(*GetApi)(uint32_t version);
  const char *(*GetVersionString)(void);
} OrtApiBase;

#endif
