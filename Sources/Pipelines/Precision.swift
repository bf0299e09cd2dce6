import Tensors

/// The element types that networks can compute in.
public enum Precision: String, Codable, Hashable, Sendable, CaseIterable {
  /// Single precision.
  case float32 = "f32"
  /// Half the memory, and several times the speed on devices that support it.
  case bfloat16 = "bf16"

  /// The element type.
  public var dtype: DType { self == .float32 ? .float32 : .bfloat16 }
}
