// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

/// The type of one element of a tensor or buffer.
///
/// The raw value is the name that StableHLO uses for it.
public enum DType: String, Sendable, Hashable, CaseIterable, Codable {
  case bool = "i1"
  case int8 = "i8"
  case int16 = "i16"
  case int32 = "i32"
  case int64 = "i64"
  case uint8 = "ui8"
  case uint16 = "ui16"
  case uint32 = "ui32"
  case uint64 = "ui64"
  case float8e4m3 = "f8E4M3FN"
  case float8e5m2 = "f8E5M2"
  case float16 = "f16"
  case bfloat16 = "bf16"
  case float32 = "f32"
  case float64 = "f64"

  /// The bytes of one element in host and device memory; a bool takes one byte.
  public var byteCount: Int {
    switch self {
    case .bool, .int8, .uint8, .float8e4m3, .float8e5m2: 1
    case .int16, .uint16, .float16, .bfloat16: 2
    case .int32, .uint32, .float32: 4
    case .int64, .uint64, .float64: 8
    }
  }

  /// Whether this is a floating-point type.
  public var isFloat: Bool {
    switch self {
    case .float8e4m3, .float8e5m2, .float16, .bfloat16, .float32, .float64: true
    default: false
    }
  }

  /// Whether this is a floating-point type of 8 bits, which weights are stored in: Micikevicius et al.,
  /// "FP8 formats for deep learning", 2022.
  public var isFloat8: Bool { self == .float8e4m3 || self == .float8e5m2 }

  /// Whether this is an integer type, with or without a sign; a bool is not.
  public var isInteger: Bool { self != .bool && !isFloat }
}

/// A Swift type with the memory layout of a tensor element.
///
/// Elements of `bfloat16` and of the types of 8 bits have no Swift type: read and write them as bit
/// patterns with the untyped functions.
public protocol Element: Sendable {
  /// The element type on the device.
  static var dtype: DType { get }
}

extension Bool: Element { public static var dtype: DType { .bool } }
extension Int8: Element { public static var dtype: DType { .int8 } }
extension Int16: Element { public static var dtype: DType { .int16 } }
extension Int32: Element { public static var dtype: DType { .int32 } }
extension Int64: Element { public static var dtype: DType { .int64 } }
extension UInt8: Element { public static var dtype: DType { .uint8 } }
extension UInt16: Element { public static var dtype: DType { .uint16 } }
extension UInt32: Element { public static var dtype: DType { .uint32 } }
extension UInt64: Element { public static var dtype: DType { .uint64 } }
#if !(os(macOS) && arch(x86_64))
  extension Float16: Element { public static var dtype: DType { .float16 } }
#endif
extension Float: Element { public static var dtype: DType { .float32 } }
extension Double: Element { public static var dtype: DType { .float64 } }
