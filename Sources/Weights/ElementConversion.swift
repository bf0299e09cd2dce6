import Tensors

/// Conversion of elements between floating-point types on the host, a region at a time.
enum ElementConversion {
  /// Converts elements one after the other.
  ///
  /// - Returns: the number of finite elements that became infinite.
  static func convert(
    _ source: UnsafeRawBufferPointer, _ from: DType, to target: UnsafeMutableRawBufferPointer,
    _ to: DType
  ) -> Int {
    switch (from, to) {
    case _ where from == to:
      target.copyMemory(from: source)
      return 0
    case (.bfloat16, .float32):
      // The same bits, at the upper end.
      let (a, b) = (source.bindMemory(to: UInt16.self), target.bindMemory(to: UInt32.self))
      for i in a.indices { b[i] = UInt32(a[i]) << 16 }
      return 0
    case (.float32, .bfloat16):
      let (a, b) = (source.bindMemory(to: Float.self), target.bindMemory(to: UInt16.self))
      var lost = 0
      for i in a.indices {
        b[i] = bfloat16(a[i])
        if b[i] & 0x7FFF == 0x7F80, a[i].isFinite { lost += 1 }
      }
      return lost
    case (.float8e4m3, _), (.float8e5m2, _):
      widen(source, from, to: target, to)
      return 0
    default:
      var lost = 0
      for i in 0..<source.count / from.byteCount {
        let value = read(source, i, from)
        if write(value, target, i, to), value.isFinite { lost += 1 }
      }
      return lost
    }
  }

  /// Converts numbers of 8 bits, each of which is exact in every wider type.
  private static func widen(
    _ source: UnsafeRawBufferPointer, _ from: DType, to target: UnsafeMutableRawBufferPointer,
    _ to: DType
  ) {
    let numbers = Float8.values(from)
    func fill<T>(_ table: [T]) {
      let out = target.bindMemory(to: T.self)
      for i in source.indices { out[i] = table[Int(source[i])] }
    }
    switch to {
    case .bfloat16: fill(numbers.map(bfloat16))
    case .float16: fill(numbers.map { half(of: Double($0)) })
    case .float32: fill(numbers)
    case .float64: fill(numbers.map(Double.init))
    default: preconditionFailure("weights are not converted to \(to.rawValue)")
    }
  }

  /// The nearest number of bf16, ties to even.
  private static func bfloat16(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    if value.isNaN { return UInt16(bits >> 16) | 0x40 }
    return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
  }

  private static func read(_ bytes: UnsafeRawBufferPointer, _ i: Int, _ dtype: DType) -> Double {
    switch dtype {
    case .float16: Double(half(bytes.load(fromByteOffset: 2 * i, as: UInt16.self)))
    case .bfloat16:
      Double(
        Float(bitPattern: UInt32(bytes.load(fromByteOffset: 2 * i, as: UInt16.self)) << 16))
    case .float32: Double(bytes.load(fromByteOffset: 4 * i, as: Float.self))
    case .float64: bytes.load(fromByteOffset: 8 * i, as: Double.self)
    default: preconditionFailure("\(dtype) is no floating-point type")
    }
  }

  /// - Returns: whether the stored number is infinite.
  private static func write(
    _ value: Double, _ bytes: UnsafeMutableRawBufferPointer, _ i: Int, _ dtype: DType
  ) -> Bool {
    switch dtype {
    case .float16:
      let stored = half(of: value)
      bytes.storeBytes(of: stored, toByteOffset: 2 * i, as: UInt16.self)
      return stored & 0x7FFF == 0x7C00
    case .bfloat16:
      let stored = bfloat16(narrowed(value))
      bytes.storeBytes(of: stored, toByteOffset: 2 * i, as: UInt16.self)
      return stored & 0x7FFF == 0x7F80
    case .float32:
      let stored = Float(value)
      bytes.storeBytes(of: stored, toByteOffset: 4 * i, as: Float.self)
      return stored.isInfinite
    case .float64:
      bytes.storeBytes(of: value, toByteOffset: 8 * i, as: Double.self)
      return value.isInfinite
    default: preconditionFailure("\(dtype) is no floating-point type")
    }
  }

  /// A number in f32, rounded to odd: rounding it once more is then as good as rounding once.
  private static func narrowed(_ value: Double) -> Float {
    let near = Float(value)
    guard near.isFinite, Double(near) != value else { return near }
    let bits = near.bitPattern
    guard bits & 1 == 0 else { return near }
    let isBelow = abs(Double(near)) < abs(value)
    return Float(bitPattern: isBelow ? bits + 1 : bits - 1)
  }

  private static func half(_ bits: UInt16) -> Float { Float(Float16(bitPattern: bits)) }

  private static func half(of value: Double) -> UInt16 { Float16(value).bitPattern }
}
