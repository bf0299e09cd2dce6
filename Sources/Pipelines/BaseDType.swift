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
  /// The matrices of linear maps in 4 bits with a scale for each 32 columns, in 8 bits where their
  /// columns are no multiple of 32, and all else as it is stored.
  case int4

  /// How a frozen weight is kept, nil for how its file stores it.
  package func storage(of spec: ParameterSpec) -> WeightStorage? {
    switch self {
    case .stored: nil
    case .bfloat16: .bfloat16
    case .int8: spec.isMatrix ? .int8 : nil
    case .int4: spec.isMatrix ? .int4 : nil
    }
  }
}
