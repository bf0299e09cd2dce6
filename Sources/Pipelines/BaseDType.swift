import Layers
import Tensors

/// How the frozen weights beside LoRA are kept.
public enum BaseDType: String, Codable, Hashable, Sendable, CaseIterable {
  /// As their file stores them.
  case stored
  /// In bf16.
  case bfloat16 = "bf16"
  /// The matrices of linear maps in 8 bits with a scale for each row, all else as it is stored.
  case int8

  /// The element type of a frozen weight, nil for that of its file.
  package func dtype(of spec: ParameterSpec) -> DType? {
    switch self {
    case .stored: nil
    case .bfloat16: .bfloat16
    case .int8: spec.isMatrix ? .int8 : nil
    }
  }
}
