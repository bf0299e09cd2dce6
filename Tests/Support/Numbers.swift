import Tensors

/// A dense array on the host, whose elements are held as doubles whatever their type on the device.
///
/// Whole numbers beyond 2⁵³ lose bits.
public struct Numbers: Sendable, Hashable {
  /// The elements, row-major.
  public var values: [Double]
  /// The sizes of the axes.
  public let shape: [Int]
  /// The element type on the device.
  public let dtype: DType

  /// The type on the device.
  public var type: TensorType { TensorType(Shape(shape), dtype) }
  /// The number of elements.
  public var count: Int { values.count }

  /// Makes an array; without a shape it has one axis.
  public init(_ values: [Double], _ shape: [Int]? = nil, _ dtype: DType = .float64) {
    self.values = values
    self.shape = shape ?? [values.count]
    self.dtype = dtype
    precondition(
      self.shape.reduce(1, *) == values.count, "\(values.count) values for \(self.shape)")
  }

  /// Makes an array whose elements follow from their places along the axes.
  public init(_ shape: [Int], _ dtype: DType = .float64, _ element: ([Int]) -> Double) {
    self.init(Self.places(shape).map(element), shape, dtype)
  }

  /// Random elements within a range; the same seed gives the same ones.
  public static func random(
    _ shape: [Int], seed: UInt64 = 1, in range: ClosedRange<Double> = -1...1,
    _ dtype: DType = .float64
  ) -> Numbers {
    var generator = SeededGenerator(seed)
    let count = shape.reduce(1, *)
    return Numbers(
      (0..<count).map { _ in Double.random(in: range, using: &generator) }, shape, dtype)
  }

  /// Every place of a shape in row-major order.
  public static func places(_ shape: [Int]) -> [[Int]] {
    shape.reduce([[]]) { paths, size in paths.flatMap { path in (0..<size).map { path + [$0] } } }
  }

  /// The element at a place, one index an axis; 0 where an index lies outside.
  public subscript(_ place: [Int]) -> Double {
    var offset = 0
    for (index, size) in zip(place, shape) {
      guard (0..<size).contains(index) else { return 0 }
      offset = offset * size + index
    }
    return values[offset]
  }

  /// The element at a place, one index an axis.
  public subscript(_ place: Int...) -> Double { self[place] }

  /// The same elements with another type on the device.
  public func cast(to dtype: DType) -> Numbers { Numbers(values, shape, dtype) }
}

extension Numbers {
  /// A copy on the device.
  func buffer(on client: Client) throws -> Buffer {
    switch dtype {
    case .bool: try client.buffer(values.map { $0 != 0 }, shape: shape)
    case .int8: try client.buffer(values.map { Int8($0) }, shape: shape)
    case .int16: try client.buffer(values.map { Int16($0) }, shape: shape)
    case .int32: try client.buffer(values.map { Int32($0) }, shape: shape)
    case .int64: try client.buffer(values.map { Int64($0) }, shape: shape)
    case .uint8: try client.buffer(values.map { UInt8($0) }, shape: shape)
    case .uint16: try client.buffer(values.map { UInt16($0) }, shape: shape)
    case .uint32: try client.buffer(values.map { UInt32($0) }, shape: shape)
    case .uint64: try client.buffer(values.map { UInt64($0) }, shape: shape)
    case .float8e4m3, .float8e5m2:
      try values.map { Float8.bits(of: Float($0), dtype) }.withUnsafeBytes {
        try client.buffer(bytes: $0, BufferType(dtype, shape))
      }
    case .float16: try client.buffer(values.map { Float16($0) }, shape: shape)
    case .bfloat16:
      try values.map { bfloat16Bits($0) }.withUnsafeBytes {
        try client.buffer(bytes: $0, BufferType(.bfloat16, shape))
      }
    case .float32: try client.buffer(values.map { Float($0) }, shape: shape)
    case .float64: try client.buffer(values, shape: shape)
    }
  }

  /// Copies an array from the device.
  init(_ buffer: Buffer) throws {
    let values: [Double]
    switch buffer.dtype {
    case .bool: values = try buffer.array(of: Bool.self).map { $0 ? 1 : 0 }
    case .int8: values = try buffer.array(of: Int8.self).map { Double($0) }
    case .int16: values = try buffer.array(of: Int16.self).map { Double($0) }
    case .int32: values = try buffer.array(of: Int32.self).map { Double($0) }
    case .int64: values = try buffer.array(of: Int64.self).map { Double($0) }
    case .uint8: values = try buffer.array(of: UInt8.self).map { Double($0) }
    case .uint16: values = try buffer.array(of: UInt16.self).map { Double($0) }
    case .uint32: values = try buffer.array(of: UInt32.self).map { Double($0) }
    case .uint64: values = try buffer.array(of: UInt64.self).map { Double($0) }
    case .float8e4m3, .float8e5m2:
      values = try buffer.bytes().map { Double(Float8.value($0, buffer.dtype)) }
    case .float16: values = try buffer.array(of: Float16.self).map { Double($0) }
    case .bfloat16:
      values = try buffer.bytes().withUnsafeBytes { bytes in
        bytes.bindMemory(to: UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
      }
    case .float32: values = try buffer.array(of: Float.self).map { Double($0) }
    case .float64: values = try buffer.array(of: Double.self)
    }
    self.init(values, buffer.shape, buffer.dtype)
  }
}

/// The bits of the nearest number in bfloat16, halves to even.
private func bfloat16Bits(_ value: Double) -> UInt16 {
  let bits = Float(value).bitPattern
  return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ ((bits >> 16) & 1)) >> 16)
}
