/// An input of a graph, distinct from every other.
struct Parameter: Operation {
  private let identity = Identity()
  let type: TensorType

  private final class Identity: Hashable, Sendable {
    static func == (a: Identity, b: Identity) -> Bool { a === b }
    func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
  }

  init(_ type: TensorType) { self.type = type }

  var opcode: String { "parameter" }
  func results(_ operands: [TensorType]) -> [TensorType] { [type] }
}

/// One number in every element.
struct Splat: Operation {
  let type: TensorType
  let value: Literal

  var opcode: String { "stablehlo.constant" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "value = dense<\(value.text(type.dtype))> : \(type.text)"
  }
  func results(_ operands: [TensorType]) -> [TensorType] { [type] }
}

/// An array that is part of the program, as its bytes in row-major order.
struct ConstantArray: Operation {
  let type: TensorType
  let bytes: [UInt8]

  var opcode: String { "stablehlo.constant" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let digits: [UInt8] = Array("0123456789ABCDEF".utf8)
    var hex: [UInt8] = []
    hex.reserveCapacity(2 * bytes.count)
    for byte in bytes {
      hex.append(digits[Int(byte >> 4)])
      hex.append(digits[Int(byte & 15)])
    }
    return "value = dense<\"0x\(String(decoding: hex, as: UTF8.self))\"> : \(type.text)"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(bytes.count == type.byteCount && type.dtype != .bool)
    return [type]
  }
}

/// The index along one axis.
struct Iota: Operation {
  let type: TensorType
  let axis: Int

  var opcode: String { "stablehlo.iota" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "iota_dimension = \(axis) : i64"
  }
  func results(_ operands: [TensorType]) -> [TensorType] { [type] }
}

/// A number that is part of the program.
enum Literal: Hashable, Sendable {
  case integer(Int64)
  case float(Double)
  case bool(Bool)

  /// The number as an element in MLIR's syntax; floats as their bits, which is exact.
  func text(_ dtype: DType) -> String {
    switch (self, dtype) {
    case (.bool(let value), .bool): return value ? "true" : "false"
    case (.integer(let value), _) where dtype.isInteger: return "\(value)"
    case (.float(let value), .float64): return hex(value.bitPattern, 16)
    case (.float(let value), .float32): return hex(Float(value).bitPattern, 8)
    case (.float(let value), .float16): return hex(Float16(value).bitPattern, 4)
    case (.float(let value), .bfloat16):
      let bits = Float(value).bitPattern
      let rounded = value.isNaN ? bits : bits + 0x7FFF + ((bits >> 16) & 1)
      return hex(UInt16(truncatingIfNeeded: rounded >> 16), 4)
    case (.float(let value), _) where dtype.isFloat8:
      return hex(Float8.bits(of: Float(value), dtype), 2)
    default: preconditionFailure("the constant \(self) cannot be an element of \(dtype.rawValue)")
    }
  }

  private func hex(_ bits: some BinaryInteger, _ width: Int) -> String {
    let digits = String(bits, radix: 16, uppercase: true)
    return "0x" + String(repeating: "0", count: width - digits.count) + digits
  }
}

extension Tensor {
  static func parameter(_ type: TensorType) -> Tensor { Tensor(Parameter(type), []) }

  /// Whether this is a constant or an iota, which cost nothing to repeat.
  var isConstant: Bool { node.operands.isEmpty && !(node.operation is Parameter) }

  /// One number in every element; for integer types it must be an integer.
  public static func constant(
    _ value: Double, _ dtype: DType, shape: Shape = []
  ) -> Tensor {
    let literal: Literal =
      switch dtype {
      case .bool: .bool(value != 0)
      case _ where dtype.isFloat: .float(value)
      default: .integer(Int64(value))
      }
    return Tensor(Splat(type: TensorType(shape, dtype), value: literal), [])
  }

  /// One integer in every element.
  public static func constant(integer value: Int64, _ dtype: DType, shape: Shape = []) -> Tensor {
    precondition(dtype.isInteger, "the integer \(value) is given for \(dtype.rawValue)")
    return Tensor(Splat(type: TensorType(shape, dtype), value: .integer(value)), [])
  }

  /// An array that becomes part of the program; keep it small.
  public static func constant<T: Element>(_ values: [T], shape: Shape) -> Tensor {
    precondition(values.count == shape.count, "\(values.count) values are given for \(shape)")
    let bytes = values.withUnsafeBytes { Array($0) }
    return Tensor(ConstantArray(type: TensorType(shape, T.dtype), bytes: bytes), [])
  }

  /// Zeros of a shape.
  public static func zeros(_ shape: Shape, _ dtype: DType) -> Tensor {
    constant(0.0, dtype, shape: shape)
  }

  /// Ones of a shape.
  public static func ones(_ shape: Shape, _ dtype: DType) -> Tensor {
    constant(1.0, dtype, shape: shape)
  }

  /// 0, 1, 2 … along one axis of a shape.
  public static func iota(_ shape: Shape, axis: Int = 0, _ dtype: DType) -> Tensor {
    Tensor(Iota(type: TensorType(shape, dtype), axis: shape.axis(axis)), [])
  }

  /// Zeros of this tensor's type.
  public var zerosLike: Tensor { .zeros(shape, dtype) }
}
