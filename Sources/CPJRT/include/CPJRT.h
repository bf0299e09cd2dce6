// The C interface of PJRT plugins: the declarations this project uses, and no code.
//
// Every function takes one pointer to a structure of arguments. A structure begins with its own
// size and a list of extensions (null here), and later versions of the interface only append
// fields, so plugins of other minor versions are compatible as long as unknown fields are zero.
// Fields that the plugin sets follow those of the caller and are marked "out".

#ifndef TWINFLOW_CPJRT_H
#define TWINFLOW_CPJRT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CFFI.h"

typedef struct PJRT_Error PJRT_Error;
typedef struct PJRT_Event PJRT_Event;
typedef struct PJRT_Client PJRT_Client;
typedef struct PJRT_Device PJRT_Device;
typedef struct PJRT_DeviceDescription PJRT_DeviceDescription;
typedef struct PJRT_Memory PJRT_Memory;
typedef struct PJRT_Buffer PJRT_Buffer;
typedef struct PJRT_Executable PJRT_Executable;
typedef struct PJRT_LoadedExecutable PJRT_LoadedExecutable;
typedef struct PJRT_SerializedExecutable PJRT_SerializedExecutable;
typedef struct PJRT_ExecuteContext PJRT_ExecuteContext;

// A node of a plugin's list of extensions.
typedef struct PJRT_Extension {
  size_t struct_size;
  int32_t type;
  struct PJRT_Extension *next;
} PJRT_Extension;

// The first fields of every structure of arguments.
#define PJRT_HEAD      \
  size_t struct_size;  \
  PJRT_Extension *extensions;

typedef struct PJRT_Version {
  PJRT_HEAD
  int32_t major;
  int32_t minor;
} PJRT_Version;

// Errors

typedef struct PJRT_Error_Destroy_Args {
  PJRT_HEAD
  PJRT_Error *error;
} PJRT_Error_Destroy_Args;

typedef struct PJRT_Error_Message_Args {
  PJRT_HEAD
  const PJRT_Error *error;
  const char *message;  // out, lives as long as the error
  size_t message_size;  // out
} PJRT_Error_Message_Args;

typedef struct PJRT_Error_GetCode_Args {
  PJRT_HEAD
  const PJRT_Error *error;
  int32_t code;  // out
} PJRT_Error_GetCode_Args;

// Named values

enum {
  PJRT_NAMED_STRING = 0,
  PJRT_NAMED_INT64 = 1,
  PJRT_NAMED_INT64_LIST = 2,
  PJRT_NAMED_FLOAT = 3,
  PJRT_NAMED_BOOL = 4
};

typedef struct PJRT_NamedValue {
  PJRT_HEAD
  const char *name;
  size_t name_size;
  int32_t type;
  union {
    const char *string_value;
    int64_t int64_value;
    const int64_t *int64_array_value;
    float float_value;
    bool bool_value;
  };
  size_t value_size;  // elements of a string or list, 1 for a scalar
} PJRT_NamedValue;

// Plugin

typedef struct PJRT_Plugin_Initialize_Args {
  PJRT_HEAD
} PJRT_Plugin_Initialize_Args;

typedef struct PJRT_Plugin_Attributes_Args {
  PJRT_HEAD
  const PJRT_NamedValue *attributes;  // out
  size_t num_attributes;              // out
} PJRT_Plugin_Attributes_Args;

// Events

// The arguments of Event_Destroy, Event_Error and Event_Await.
typedef struct PJRT_Event_Args {
  PJRT_HEAD
  PJRT_Event *event;
} PJRT_Event_Args;

typedef struct PJRT_Event_OnReady_Args {
  PJRT_HEAD
  PJRT_Event *event;
  void (*callback)(PJRT_Error *error, void *user_arg);  // owns the error
  void *user_arg;
} PJRT_Event_OnReady_Args;

// Client

// Callbacks to a key-value store that all processes of a run share; the plugin calls them from any
// thread.
typedef PJRT_Error *(*PJRT_CallbackError)(int32_t code, const char *message, size_t message_size);

typedef struct PJRT_KeyValueGetCallback_Args {
  PJRT_HEAD
  const char *key;
  size_t key_size;
  int timeout_in_ms;
  PJRT_CallbackError *callback_error;
  void *user_arg;
  char *value;                     // out
  size_t value_size;               // out
  void (*value_deleter)(char *);   // out
} PJRT_KeyValueGetCallback_Args;

typedef struct PJRT_KeyValueTryGetCallback_Args {
  PJRT_HEAD
  const char *key;
  size_t key_size;
  PJRT_CallbackError *callback_error;
  void *user_arg;
  char *value;                     // out
  size_t value_size;               // out
  void (*value_deleter)(char *);   // out
} PJRT_KeyValueTryGetCallback_Args;

typedef struct PJRT_KeyValuePutCallback_Args {
  PJRT_HEAD
  const char *key;
  size_t key_size;
  const char *value;
  size_t value_size;
  PJRT_CallbackError *callback_error;
  void *user_arg;
} PJRT_KeyValuePutCallback_Args;

typedef struct PJRT_Client_Create_Args {
  PJRT_HEAD
  const PJRT_NamedValue *create_options;
  size_t num_options;
  PJRT_Error *(*kv_get_callback)(PJRT_KeyValueGetCallback_Args *);
  void *kv_get_user_arg;
  PJRT_Error *(*kv_put_callback)(PJRT_KeyValuePutCallback_Args *);
  void *kv_put_user_arg;
  PJRT_Client *client;  // out
  PJRT_Error *(*kv_try_get_callback)(PJRT_KeyValueTryGetCallback_Args *);
  void *kv_try_get_user_arg;
} PJRT_Client_Create_Args;

typedef struct PJRT_Client_Destroy_Args {
  PJRT_HEAD
  PJRT_Client *client;
} PJRT_Client_Destroy_Args;

// The arguments of Client_PlatformName and Client_PlatformVersion.
typedef struct PJRT_Client_Text_Args {
  PJRT_HEAD
  PJRT_Client *client;
  const char *text;  // out, lives as long as the client
  size_t text_size;  // out
} PJRT_Client_Text_Args;

// The arguments of Client_Devices and Client_AddressableDevices.
typedef struct PJRT_Client_Devices_Args {
  PJRT_HEAD
  PJRT_Client *client;
  PJRT_Device *const *devices;  // out, lives as long as the client
  size_t num_devices;           // out
} PJRT_Client_Devices_Args;

typedef struct PJRT_Program {
  PJRT_HEAD
  const char *code;
  size_t code_size;
  const char *format;
  size_t format_size;
} PJRT_Program;

typedef struct PJRT_Client_Compile_Args {
  PJRT_HEAD
  PJRT_Client *client;
  const PJRT_Program *program;
  const char *compile_options;
  size_t compile_options_size;
  PJRT_LoadedExecutable *executable;  // out
} PJRT_Client_Compile_Args;

// Element types of buffers
enum {
  PJRT_TYPE_INVALID = 0,
  PJRT_TYPE_PRED = 1,
  PJRT_TYPE_S8 = 2,
  PJRT_TYPE_S16 = 3,
  PJRT_TYPE_S32 = 4,
  PJRT_TYPE_S64 = 5,
  PJRT_TYPE_U8 = 6,
  PJRT_TYPE_U16 = 7,
  PJRT_TYPE_U32 = 8,
  PJRT_TYPE_U64 = 9,
  PJRT_TYPE_F16 = 10,
  PJRT_TYPE_F32 = 11,
  PJRT_TYPE_F64 = 12,
  PJRT_TYPE_BF16 = 13,
  PJRT_TYPE_F8E5M2 = 16,
  PJRT_TYPE_F8E4M3FN = 17
};

// How the runtime may use the host memory that a buffer is made from
enum {
  PJRT_HOST_COPIED_DURING_CALL = 0,
  PJRT_HOST_UNTIL_TRANSFER_COMPLETES = 1,
  PJRT_HOST_IMMUTABLE_ZERO_COPY = 2,
  PJRT_HOST_MUTABLE_ZERO_COPY = 3
};

enum { PJRT_LAYOUT_TILED = 0, PJRT_LAYOUT_STRIDES = 1 };

typedef struct PJRT_Layout_Tiled {
  PJRT_HEAD
  const int64_t *minor_to_major;
  size_t minor_to_major_size;
  const int64_t *tile_dims;
  const size_t *tile_dim_sizes;
  size_t num_tiles;
} PJRT_Layout_Tiled;

typedef struct PJRT_Layout {
  PJRT_HEAD
  PJRT_Layout_Tiled tiled;  // as large as the widest form of a layout
  int32_t type;
} PJRT_Layout;

typedef struct PJRT_Client_BufferFromHostBuffer_Args {
  PJRT_HEAD
  PJRT_Client *client;
  const void *data;
  int32_t type;
  const int64_t *dims;
  size_t num_dims;
  const int64_t *byte_strides;
  size_t num_byte_strides;
  int32_t host_buffer_semantics;
  PJRT_Device *device;
  PJRT_Memory *memory;
  PJRT_Layout *device_layout;
  PJRT_Event *done_with_host_buffer;  // out
  PJRT_Buffer *buffer;                // out
} PJRT_Client_BufferFromHostBuffer_Args;

// Devices

typedef struct PJRT_DeviceDescription_Id_Args {
  PJRT_HEAD
  PJRT_DeviceDescription *description;
  int32_t id;  // out
} PJRT_DeviceDescription_Id_Args;

// The arguments of DeviceDescription_Kind, _DebugString and _ToString.
typedef struct PJRT_DeviceDescription_Text_Args {
  PJRT_HEAD
  PJRT_DeviceDescription *description;
  const char *text;  // out, lives as long as the client
  size_t text_size;  // out
} PJRT_DeviceDescription_Text_Args;

typedef struct PJRT_Device_GetDescription_Args {
  PJRT_HEAD
  PJRT_Device *device;
  PJRT_DeviceDescription *description;  // out
} PJRT_Device_GetDescription_Args;

typedef struct PJRT_Device_IsAddressable_Args {
  PJRT_HEAD
  PJRT_Device *device;
  bool is_addressable;  // out
} PJRT_Device_IsAddressable_Args;

typedef struct PJRT_Device_LocalHardwareId_Args {
  PJRT_HEAD
  PJRT_Device *device;
  int32_t local_hardware_id;  // out
} PJRT_Device_LocalHardwareId_Args;

// Bytes in use are always given; each other figure is followed by whether the plugin knows it.
typedef struct PJRT_Device_MemoryStats_Args {
  PJRT_HEAD
  PJRT_Device *device;
  int64_t bytes_in_use;
  int64_t peak_bytes_in_use;
  bool peak_bytes_in_use_is_set;
  int64_t num_allocs;
  bool num_allocs_is_set;
  int64_t largest_alloc_size;
  bool largest_alloc_size_is_set;
  int64_t bytes_limit;
  bool bytes_limit_is_set;
  int64_t bytes_reserved;
  bool bytes_reserved_is_set;
  int64_t peak_bytes_reserved;
  bool peak_bytes_reserved_is_set;
  int64_t bytes_reservable_limit;
  bool bytes_reservable_limit_is_set;
  int64_t largest_free_block_bytes;
  bool largest_free_block_bytes_is_set;
  int64_t pool_bytes;
  bool pool_bytes_is_set;
  int64_t peak_pool_bytes;
  bool peak_pool_bytes_is_set;
} PJRT_Device_MemoryStats_Args;

// Executables

typedef struct PJRT_Executable_Destroy_Args {
  PJRT_HEAD
  PJRT_Executable *executable;
} PJRT_Executable_Destroy_Args;

typedef struct PJRT_LoadedExecutable_Destroy_Args {
  PJRT_HEAD
  PJRT_LoadedExecutable *executable;
} PJRT_LoadedExecutable_Destroy_Args;

typedef struct PJRT_LoadedExecutable_GetExecutable_Args {
  PJRT_HEAD
  PJRT_LoadedExecutable *loaded_executable;
  PJRT_Executable *executable;  // out
} PJRT_LoadedExecutable_GetExecutable_Args;

typedef struct PJRT_LoadedExecutable_AddressableDevices_Args {
  PJRT_HEAD
  PJRT_LoadedExecutable *executable;
  PJRT_Device *const *devices;  // out
  size_t num_devices;           // out
} PJRT_LoadedExecutable_AddressableDevices_Args;

typedef struct PJRT_Executable_NumOutputs_Args {
  PJRT_HEAD
  PJRT_Executable *executable;
  size_t num_outputs;  // out
} PJRT_Executable_NumOutputs_Args;

typedef struct PJRT_Executable_OutputElementTypes_Args {
  PJRT_HEAD
  PJRT_Executable *executable;
  const int32_t *output_types;  // out
  size_t num_output_types;      // out
} PJRT_Executable_OutputElementTypes_Args;

typedef struct PJRT_Executable_OutputDimensions_Args {
  PJRT_HEAD
  PJRT_Executable *executable;
  size_t num_outputs;       // out
  const int64_t *dims;      // out, the sizes of all outputs one after the other
  const size_t *dim_sizes;  // out, the rank of each output
} PJRT_Executable_OutputDimensions_Args;

typedef struct PJRT_Executable_GetCompiledMemoryStats_Args {
  PJRT_HEAD
  PJRT_Executable *executable;
  int64_t generated_code_size_in_bytes;
  int64_t argument_size_in_bytes;
  int64_t output_size_in_bytes;
  int64_t alias_size_in_bytes;
  int64_t temp_size_in_bytes;
  int64_t host_generated_code_size_in_bytes;
  int64_t host_argument_size_in_bytes;
  int64_t host_output_size_in_bytes;
  int64_t host_alias_size_in_bytes;
  int64_t host_temp_size_in_bytes;
  int64_t peak_memory_in_bytes;
  int64_t total_size_in_bytes;
} PJRT_Executable_GetCompiledMemoryStats_Args;

typedef struct PJRT_Executable_OptimizedProgram_Args {
  PJRT_HEAD
  PJRT_Executable *executable;
  PJRT_Program *program;  // out: without code the size alone, else the code is filled in
} PJRT_Executable_OptimizedProgram_Args;

typedef struct PJRT_Executable_Serialize_Args {
  PJRT_HEAD
  const PJRT_Executable *executable;
  const char *serialized_bytes;                      // out, lives as long as the next
  size_t serialized_bytes_size;                      // out
  PJRT_SerializedExecutable *serialized_executable;  // out
  void (*serialized_executable_deleter)(PJRT_SerializedExecutable *);  // out
} PJRT_Executable_Serialize_Args;

typedef struct PJRT_Executable_DeserializeAndLoad_Args {
  PJRT_HEAD
  PJRT_Client *client;
  const char *serialized_executable;
  size_t serialized_executable_size;
  PJRT_LoadedExecutable *loaded_executable;  // out
  const char *overridden_serialized_compile_options;
  size_t overridden_serialized_compile_options_size;
} PJRT_Executable_DeserializeAndLoad_Args;

typedef struct PJRT_ExecuteOptions {
  PJRT_HEAD
  void *send_callbacks;
  void *recv_callbacks;
  size_t num_send_ops;
  size_t num_recv_ops;
  int32_t launch_id;
  const int64_t *non_donatable_input_indices;
  size_t num_non_donatable_input_indices;
  PJRT_ExecuteContext *context;
  const char *call_location;
  size_t num_tasks;
  int32_t *task_ids;
  int64_t *incarnation_ids;
} PJRT_ExecuteOptions;

typedef struct PJRT_LoadedExecutable_Execute_Args {
  PJRT_HEAD
  PJRT_LoadedExecutable *executable;
  PJRT_ExecuteOptions *options;
  PJRT_Buffer *const *const *argument_lists;  // [device][argument]
  size_t num_devices;
  size_t num_args;
  PJRT_Buffer **const *output_lists;   // [device][output], filled in
  PJRT_Event **device_complete_events;  // [device], filled in
  PJRT_Device *execute_device;
} PJRT_LoadedExecutable_Execute_Args;

// Buffers

// The arguments of Buffer_Destroy and Buffer_Delete.
typedef struct PJRT_Buffer_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
} PJRT_Buffer_Args;

typedef struct PJRT_Buffer_Dimensions_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  const int64_t *dims;  // out, lives as long as the buffer
  size_t num_dims;      // out
} PJRT_Buffer_Dimensions_Args;

typedef struct PJRT_Buffer_ElementType_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  int32_t type;  // out
} PJRT_Buffer_ElementType_Args;

typedef struct PJRT_Buffer_IsDeleted_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  bool is_deleted;  // out
} PJRT_Buffer_IsDeleted_Args;

typedef struct PJRT_Buffer_Device_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  PJRT_Device *device;  // out
} PJRT_Buffer_Device_Args;

typedef struct PJRT_Buffer_ToHostBuffer_Args {
  PJRT_HEAD
  PJRT_Buffer *src;
  PJRT_Layout *host_layout;
  void *dst;         // null asks for the size alone
  size_t dst_size;   // in, or out where dst is null
  PJRT_Event *event;  // out
} PJRT_Buffer_ToHostBuffer_Args;

typedef struct PJRT_Buffer_CopyToDevice_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  PJRT_Device *dst_device;
  PJRT_Buffer *dst_buffer;  // out
} PJRT_Buffer_CopyToDevice_Args;

typedef struct PJRT_Buffer_ReadyEvent_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  PJRT_Event *event;  // out
} PJRT_Buffer_ReadyEvent_Args;

typedef struct PJRT_Buffer_UnsafePointer_Args {
  PJRT_HEAD
  PJRT_Buffer *buffer;
  uintptr_t pointer;  // out
} PJRT_Buffer_UnsafePointer_Args;

// The table of functions

typedef void (*PJRT_Procedure)(void *arguments);
typedef PJRT_Error *(*PJRT_Function)(void *arguments);

// The functions in their fixed order. Arrays hold the place of groups that are not used here, and a
// plugin of a later version has more functions behind the last one.
typedef struct PJRT_Api {
  PJRT_HEAD
  PJRT_Version version;

  PJRT_Procedure Error_Destroy;
  PJRT_Procedure Error_Message;
  PJRT_Function Error_GetCode;

  PJRT_Function Plugin_Initialize;
  PJRT_Function Plugin_Attributes;

  PJRT_Function Event_Destroy;
  PJRT_Function Event_IsReady;
  PJRT_Function Event_Error;
  PJRT_Function Event_Await;
  PJRT_Function Event_OnReady;

  PJRT_Function Client_Create;
  PJRT_Function Client_Destroy;
  PJRT_Function Client_PlatformName;
  PJRT_Function Client_ProcessIndex;
  PJRT_Function Client_PlatformVersion;
  PJRT_Function Client_Devices;
  PJRT_Function Client_AddressableDevices;
  PJRT_Function Client_LookupDevice;
  PJRT_Function Client_LookupAddressableDevice;
  PJRT_Function Client_AddressableMemories;
  PJRT_Function Client_Compile;
  PJRT_Function Client_DefaultDeviceAssignment;
  PJRT_Function Client_BufferFromHostBuffer;

  PJRT_Function DeviceDescription_Id;
  PJRT_Function DeviceDescription_ProcessIndex;
  PJRT_Function DeviceDescription_Attributes;
  PJRT_Function DeviceDescription_Kind;
  PJRT_Function DeviceDescription_DebugString;
  PJRT_Function DeviceDescription_ToString;

  PJRT_Function Device_GetDescription;
  PJRT_Function Device_IsAddressable;
  PJRT_Function Device_LocalHardwareId;
  PJRT_Function Device_AddressableMemories;
  PJRT_Function Device_DefaultMemory;
  PJRT_Function Device_MemoryStats;

  PJRT_Function Memory_Id;
  PJRT_Function Memory_Kind;
  PJRT_Function Memory_DebugString;
  PJRT_Function Memory_ToString;
  PJRT_Function Memory_AddressableByDevices;

  PJRT_Function Executable_Destroy;
  PJRT_Function Executable_Name;
  PJRT_Function Executable_NumReplicas;
  PJRT_Function Executable_NumPartitions;
  PJRT_Function Executable_NumOutputs;
  PJRT_Function Executable_SizeOfGeneratedCodeInBytes;
  PJRT_Function Executable_GetCostAnalysis;
  PJRT_Function Executable_OutputMemoryKinds;
  PJRT_Function Executable_OptimizedProgram;
  PJRT_Function Executable_Serialize;

  PJRT_Function LoadedExecutable_Destroy;
  PJRT_Function LoadedExecutable_GetExecutable;
  PJRT_Function LoadedExecutable_AddressableDevices;
  PJRT_Function LoadedExecutable_Delete;
  PJRT_Function LoadedExecutable_IsDeleted;
  PJRT_Function LoadedExecutable_Execute;
  PJRT_Function Executable_DeserializeAndLoad;
  PJRT_Function LoadedExecutable_Fingerprint;

  PJRT_Function Buffer_Destroy;
  PJRT_Function Buffer_ElementType;
  PJRT_Function Buffer_Dimensions;
  PJRT_Function Buffer_UnpaddedDimensions;
  PJRT_Function Buffer_DynamicDimensionIndices;
  PJRT_Function Buffer_GetMemoryLayout;
  PJRT_Function Buffer_OnDeviceSizeInBytes;
  PJRT_Function Buffer_Device;
  PJRT_Function Buffer_Memory;
  PJRT_Function Buffer_Delete;
  PJRT_Function Buffer_IsDeleted;
  PJRT_Function Buffer_CopyToDevice;
  PJRT_Function Buffer_ToHostBuffer;
  PJRT_Function Buffer_IsOnCpu;
  PJRT_Function Buffer_ReadyEvent;
  PJRT_Function Buffer_UnsafePointer;
  PJRT_Function Buffer_IncreaseExternalReferenceCount;
  PJRT_Function Buffer_DecreaseExternalReferenceCount;
  PJRT_Function Buffer_OpaqueDeviceMemoryDataPointer;

  PJRT_Function CopyToDeviceStream[5];
  PJRT_Function TopologyDescription[7];
  PJRT_Function Compile;

  // Appended by later versions, in the order of their appearance.
  PJRT_Function Executable_OutputElementTypes;
  PJRT_Function Executable_OutputDimensions;
  PJRT_Function Buffer_CopyToMemory;
  PJRT_Function Client_CreateViewOfDeviceBuffer;
  PJRT_Function Executable_Fingerprint;
  PJRT_Function Client_TopologyDescription;
  PJRT_Function Executable_GetCompiledMemoryStats;
  PJRT_Function Memory_Kind_Id;
  PJRT_Function ExecuteContext_Create;
  PJRT_Function ExecuteContext_Destroy;
} PJRT_Api;

// The plugin's extension that registers handlers.
enum { PJRT_EXTENSION_FFI = 5 };

typedef struct PJRT_FFI_Register_Args {
  size_t struct_size;
  const char *name;
  size_t name_size;
  XLA_FFI_Handler *handler;
  const char *platform;
  size_t platform_size;
  uint32_t traits;
} PJRT_FFI_Register_Args;

typedef struct PJRT_FFI_Extension {
  size_t struct_size;
  int32_t type;
  struct PJRT_FFI_Extension *next;
  void *others[2];
  PJRT_Error *(*register_handler)(PJRT_FFI_Register_Args *);
} PJRT_FFI_Extension;

#endif
