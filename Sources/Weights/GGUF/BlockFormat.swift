import Layers
import Tensors

/// How a GGUF file stores the elements of an array: the types of ggml, by their numbers.
///
/// The types with Q have a few bits for each element, and scales for each block of consecutive ones.
public enum BlockFormat: UInt32, Sendable, CaseIterable {
  case f32 = 0
  case f16 = 1
  case q4_0 = 2
  case q4_1 = 3
  case q5_0 = 6
  case q5_1 = 7
  case q8_0 = 8
  case q2_K = 10
  case q3_K = 11
  case q4_K = 12
  case q5_K = 13
  case q6_K = 14
  case i8 = 24
  case i16 = 25
  case i32 = 26
  case i64 = 27
  case f64 = 28
  case bf16 = 30

  /// The name that ggml has for it.
  public var name: String { "\(self)".prefix { $0 != "_" }.uppercased() + suffix }

  private var suffix: String {
    let name = "\(self)"
    return name.firstIndex(of: "_").map { String(name[$0...]) } ?? ""
  }

  /// The element type of an array that is not stored in blocks; nil for the others.
  var dtype: DType? {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .f64: .float64
    case .i8: .int8
    case .i16: .int16
    case .i32: .int32
    case .i64: .int64
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0, .q2_K, .q3_K, .q4_K, .q5_K, .q6_K: nil
    }
  }

  /// The elements of a block.
  public var blockSize: Int {
    switch self {
    case .q4_0, .q4_1, .q5_0, .q5_1, .q8_0: 32
    case .q2_K, .q3_K, .q4_K, .q5_K, .q6_K: 256
    case .f32, .f16, .bf16, .f64, .i8, .i16, .i32, .i64: 1
    }
  }

  /// The bytes of a block.
  public var blockBytes: Int {
    switch self {
    case .q4_0: 18
    case .q4_1: 20
    case .q5_0: 22
    case .q5_1: 24
    case .q8_0: 34
    case .q2_K: 84
    case .q3_K: 110
    case .q4_K: 144
    case .q5_K: 176
    case .q6_K: 210
    case .f32, .f16, .bf16, .f64, .i8, .i16, .i32, .i64: dtype!.byteCount
    }
  }

  /// The same numbers as a quantized matrix; nil where only other numbers come near.
  var quantization: Quantization? {
    switch self {
    case .q4_0: .int4
    case .q8_0: .int8Groups
    default: nil
    }
  }
}
