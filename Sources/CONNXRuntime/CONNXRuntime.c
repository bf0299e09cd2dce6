#include "CONNXRuntime.h"

// The places of members in the library's table; a failed assertion means a mistake in the header.
#define AT(member, place) \
  _Static_assert(offsetof(OrtApi, member) == (place) * sizeof(void *), #member)
AT(GetErrorMessage, 2);
AT(CreateSession, 7);
AT(Run, 9);
AT(DisableCpuMemArena, 19);
AT(SetSessionLogSeverityLevel, 22);
AT(SessionGetInputCount, 30);
AT(SessionGetOutputTypeInfo, 34);
AT(SessionGetOutputName, 37);
AT(CreateTensorWithDataAsOrtValue, 49);
AT(GetTensorMutableData, 51);
AT(CastTypeInfoToTensorInfo, 55);
AT(GetDimensions, 62);
AT(GetTensorTypeAndShape, 65);
AT(CreateCpuMemoryInfo, 69);
AT(AllocatorFree, 76);
AT(GetAllocatorWithDefaultOptions, 78);
AT(ReleaseStatus, 93);
AT(ReleaseValue, 96);
AT(ReleaseSessionOptions, 100);
AT(SessionGetModelMetadata, 111);
AT(ModelMetadataLookupCustomMetadataMap, 116);
AT(ReleaseModelMetadata, 118);
