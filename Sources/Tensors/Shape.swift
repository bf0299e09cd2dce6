/// The sizes of a tensor's axes, outermost first; a scalar has none.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// The size of each axis.
  public let sizes: [Int]

  /// Makes a shape from its sizes, which must not be negative.
  public init(_ sizes: [Int]) {
    precondition(sizes.allSatisfy { $0 >= 0 }, "a shape has a negative size: \(sizes)")
    self.sizes = sizes
  }

  /// Makes a shape from a literal such as `[2, 3]`.
  public init(arrayLiteral sizes: Int...) { self.init(sizes) }

  /// The number of axes.
  public var rank: Int { sizes.count }

  /// The number of elements.
  public var count: Int { sizes.reduce(1, *) }

  /// The size of an axis; negative axes count from the end.
  public subscript(_ axis: Int) -> Int { sizes[self.axis(axis)] }

  /// The text, `[2, 3]`.
  public var description: String { "\(sizes)" }

  /// The index of an axis, from zero; −1 is the last one.
  public func axis(_ axis: Int) -> Int {
    let resolved = axis < 0 ? axis + rank : axis
    precondition((0..<rank).contains(resolved), "axis \(axis) is not an axis of \(self)")
    return resolved
  }

  /// The indices of axes, sorted and unique; all for nil.
  func axes(_ axes: [Int]?) -> [Int] {
    guard let axes else { return Array(0..<rank) }
    let resolved = axes.map { axis($0) }.sorted()
    precondition(Set(resolved).count == resolved.count, "axes \(axes) name one axis twice")
    return resolved
  }

  /// The shape without some axes.
  func removing(_ axes: [Int]) -> Shape {
    Shape(sizes.indices.filter { !axes.contains($0) }.map { sizes[$0] })
  }

  /// The shape with the size of one axis replaced.
  public func replacing(_ axis: Int, with size: Int) -> Shape {
    var sizes = sizes
    sizes[self.axis(axis)] = size
    return Shape(sizes)
  }

  /// The shape that two shapes broadcast to by NumPy's rule, or nil where they do not.
  public func broadcast(with other: Shape) -> Shape? {
    let rank = max(rank, other.rank)
    var result = [Int](repeating: 1, count: rank)
    for i in 0..<rank {
      let a = i < rank - self.rank ? 1 : sizes[i - (rank - self.rank)]
      let b = i < rank - other.rank ? 1 : other.sizes[i - (rank - other.rank)]
      guard a == b || a == 1 || b == 1 else { return nil }
      result[i] = a == 1 ? b : a
    }
    return Shape(result)
  }
}

/// The shape and the element type of a tensor.
public struct TensorType: Hashable, Sendable, CustomStringConvertible {
  /// The sizes of the axes.
  public let shape: Shape
  /// The element type.
  public let dtype: DType

  /// Makes a type.
  public init(_ shape: Shape, _ dtype: DType) {
    self.shape = shape
    self.dtype = dtype
  }

  /// The text, `f32[2, 3]`.
  public var description: String { "\(dtype.rawValue)\(shape)" }

  /// The bytes of a dense array of this type.
  public var byteCount: Int { shape.count * dtype.byteCount }

  /// The StableHLO text, `tensor<2x3xf32>`.
  var text: String {
    "tensor<" + shape.sizes.map { "\($0)x" }.joined() + dtype.rawValue + ">"
  }
}
