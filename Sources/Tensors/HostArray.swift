/// A dense, row-major array of any element type in host memory.
public struct HostArray: Hashable, Sendable {
  /// The element type and shape.
  public let type: TensorType
  /// The elements' bytes.
  public let bytes: [UInt8]

  /// Makes an array of bytes.
  public init(_ type: TensorType, bytes: [UInt8]) {
    precondition(bytes.count == type.byteCount, "\(bytes.count) bytes are given for \(type)")
    self.type = type
    self.bytes = bytes
  }

  /// Makes an array of elements.
  public init<T: Element>(_ values: [T], shape: Shape) {
    self.init(TensorType(shape, T.dtype), bytes: values.withUnsafeBytes { Array($0) })
  }

  /// The elements.
  public func array<T: Element>(of: T.Type = T.self) -> [T] {
    precondition(T.dtype == type.dtype, "\(type) is not read as \(T.dtype)")
    return bytes.withUnsafeBytes { Array($0.bindMemory(to: T.self)) }
  }
}
