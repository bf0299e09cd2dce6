#include "CPJRT.h"

// The sizes of the structs in plugins; a failed assertion means a mistake in the header.
_Static_assert(sizeof(void *) == 8, "plugins are 64-bit libraries");
_Static_assert(sizeof(PJRT_Version) == 24, "PJRT_Version");
_Static_assert(offsetof(PJRT_Api, Error_Destroy) == 40, "PJRT_Api");
_Static_assert(sizeof(PJRT_NamedValue) == 56, "PJRT_NamedValue");
_Static_assert(sizeof(PJRT_Client_Create_Args) == 0x58, "Client_Create");
_Static_assert(sizeof(PJRT_Client_Compile_Args) == 0x38, "Client_Compile");
_Static_assert(sizeof(PJRT_Client_BufferFromHostBuffer_Args) == 0x78, "BufferFromHostBuffer");
_Static_assert(sizeof(PJRT_Layout) == 0x50, "Layout");
_Static_assert(sizeof(PJRT_Device_MemoryStats_Args) == 0xc0, "Device_MemoryStats");
_Static_assert(sizeof(PJRT_Executable_GetCompiledMemoryStats_Args) == 0x78, "CompiledMemoryStats");
_Static_assert(sizeof(PJRT_Executable_Serialize_Args) == 0x38, "Executable_Serialize");
_Static_assert(sizeof(PJRT_Executable_DeserializeAndLoad_Args) == 0x40, "DeserializeAndLoad");
_Static_assert(sizeof(PJRT_ExecuteOptions) == 0x70, "ExecuteOptions");
_Static_assert(sizeof(PJRT_LoadedExecutable_Execute_Args) == 0x50, "LoadedExecutable_Execute");
_Static_assert(sizeof(PJRT_Buffer_ToHostBuffer_Args) == 0x38, "Buffer_ToHostBuffer");
_Static_assert(offsetof(XLA_FFI_Api, Error_Create) == 48, "XLA_FFI_Api");
_Static_assert(offsetof(XLA_FFI_Api, ThreadPool_Schedule) == 136, "XLA_FFI_Api");
_Static_assert(sizeof(XLA_FFI_Buffer) == 48, "XLA_FFI_Buffer");
_Static_assert(offsetof(XLA_FFI_Frame, arguments) == 40, "XLA_FFI_Frame");
_Static_assert(offsetof(PJRT_FFI_Register_Args, traits) == 48, "FFI_Register");
_Static_assert(sizeof(PJRT_FFI_Extension) == 48, "FFI extension");
