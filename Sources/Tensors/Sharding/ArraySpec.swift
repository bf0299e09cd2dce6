/// The type and sharding of an array.
public struct ArraySpec: Hashable, Sendable {
  /// The element type and global shape.
  public let type: TensorType
  /// How it is sharded.
  public let sharding: Sharding

  /// Describes an array.
  public init(_ type: TensorType, _ sharding: Sharding = .replicated) {
    self.type = type
    self.sharding = sharding
  }

  /// The same array in another element type.
  public func cast(to dtype: DType) -> ArraySpec {
    ArraySpec(TensorType(type.shape, dtype), sharding)
  }

  /// The bytes of the array on each device of a mesh.
  public func localBytes(_ mesh: Mesh?) -> Int {
    let shape = mesh.map { sharding.local(type.shape, $0) } ?? type.shape
    return shape.count * type.dtype.byteCount
  }
}

extension Named<ArraySpec> {
  /// The types of the arrays.
  public var types: Named<TensorType> { mapValues(\.type) }
  /// How the arrays are sharded.
  public var shardings: Named<Sharding> { mapValues(\.sharding) }
}
