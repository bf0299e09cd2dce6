/// The same elements in row-major order under another shape.
struct Reshape: Operation {
  let shape: Shape

  var opcode: String { "stablehlo.reshape" }
  var isRearrangement: Bool { true }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands[0].shape.count == shape.count, "\(operands[0]) cannot be reshaped to \(shape)")
    return [TensorType(shape, operands[0].dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] { [at.dy.reshape(at.x.shape)] }
}

/// The axes in another order.
struct Transpose: Operation {
  let permutation: [Int]

  var opcode: String { "stablehlo.transpose" }
  var isRearrangement: Bool { true }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "permutation = array<i64: \(list(permutation))>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = operands[0]
    precondition(
      permutation.sorted() == Array(0..<type.shape.rank),
      "\(permutation) is not a permutation of the axes of \(type)")
    return [TensorType(Shape(permutation.map { type.shape.sizes[$0] }), type.dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    var inverse = permutation
    for (to, from) in permutation.enumerated() { inverse[from] = to }
    return [at.dy.transpose(inverse)]
  }
}

/// Repeats along new axes and along axes of size 1; `axes` are the operand's axes in the result.
struct Broadcast: Operation {
  let shape: Shape
  let axes: [Int]

  var opcode: String { "stablehlo.broadcast_in_dim" }
  var isRearrangement: Bool { true }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "broadcast_dimensions = array<i64\(axes.isEmpty ? "" : ": ")\(list(axes))>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    [TensorType(shape, operands[0].dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    let new = shape.sizes.indices.filter { !axes.contains($0) }
    let stretched = axes.enumerated().filter {
      at.x.shape.sizes[$0.offset] != shape.sizes[$0.element]
    }.map(\.element)
    return [at.dy.sum((new + stretched).sorted()).reshape(at.x.shape)]
  }
}

/// The elements in reverse order along axes.
struct Reverse: Operation {
  let axes: [Int]

  var opcode: String { "stablehlo.reverse" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "dimensions = array<i64: \(list(axes))>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func pullback(_ at: Application) -> [Tensor?] { [at.dy.reversed(axes)] }
}

/// The concatenation of operands along an axis.
struct Concatenate: Operation {
  let axis: Int

  var opcode: String { "stablehlo.concatenate" }
  var isRearrangement: Bool { true }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "dimension = \(axis) : i64"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    let first = operands[0]
    for other in operands {
      precondition(
        other.dtype == first.dtype
          && other.shape.removing([axis]) == first.shape.removing([axis]),
        "\(operands) cannot be concatenated along axis \(axis)")
    }
    let size = operands.reduce(0) { $0 + $1.shape.sizes[axis] }
    return [TensorType(first.shape.replacing(axis, with: size), first.dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    at.dy.split(sizes: at.operands.map { $0.shape.sizes[axis] }, axis: axis)
  }
}

extension Tensor {
  /// The same elements under another shape; one size may be −1 and is inferred.
  public func reshape(_ sizes: [Int]) -> Tensor {
    var sizes = sizes
    if let unknown = sizes.firstIndex(of: -1) {
      let known = sizes.enumerated().filter { $0.offset != unknown }.reduce(1) { $0 * $1.element }
      precondition(
        known > 0 && shape.count % known == 0, "\(type) cannot be reshaped to \(sizes)")
      sizes[unknown] = shape.count / known
    }
    return reshape(Shape(sizes))
  }

  /// The same elements under another shape.
  public func reshape(_ shape: Shape) -> Tensor {
    shape == self.shape ? self : Tensor(Reshape(shape: shape), [self])
  }

  /// The axes in another order: axis i of the result is axis `permutation[i]` of this.
  public func transpose(_ permutation: [Int]) -> Tensor {
    let axes = permutation.map { shape.axis($0) }
    return axes == Array(0..<rank) ? self : Tensor(Transpose(permutation: axes), [self])
  }

  /// Swaps two axes, by default the last two.
  public func swapAxes(_ a: Int = -2, _ b: Int = -1) -> Tensor {
    var permutation = Array(0..<rank)
    permutation.swapAt(shape.axis(a), shape.axis(b))
    return transpose(permutation)
  }

  /// Broadcasts to a shape by NumPy's rule.
  public func broadcast(to shape: Shape) -> Tensor {
    if shape == self.shape { return self }
    precondition(
      self.shape.broadcast(with: shape) == shape, "\(type) does not broadcast to \(shape)")
    let offset = shape.rank - rank
    return Tensor(Broadcast(shape: shape, axes: Array(offset..<shape.rank)), [self])
  }

  /// Inserts axes of size 1 at these positions of the result.
  public func expanded(_ axes: [Int]) -> Tensor {
    let rank = rank + axes.count
    let places = Set(axes.map { $0 < 0 ? $0 + rank : $0 })
    precondition(
      places.count == axes.count && places.allSatisfy { (0..<rank).contains($0) },
      "\(axes) are not distinct positions for new axes of \(type)")
    var rest = shape.sizes.makeIterator()
    return reshape(Shape((0..<rank).map { places.contains($0) ? 1 : rest.next()! }))
  }

  /// Appends axes of size 1 up to a rank: `[B]` becomes `[B, 1, 1, 1]`.
  public func expanded(toRank rank: Int) -> Tensor {
    reshape(Shape(shape.sizes + [Int](repeating: 1, count: rank - self.rank)))
  }

  /// The elements in reverse order along axes.
  public func reversed(_ axes: [Int]) -> Tensor {
    Tensor(Reverse(axes: axes.map { shape.axis($0) }), [self])
  }

  /// Concatenates tensors along an axis.
  public static func concatenate(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    let some = tensors.count > 1 ? tensors.filter { $0.shape[axis] > 0 } : tensors
    guard some.count > 1 else { return some.first ?? tensors[0] }
    return Tensor(Concatenate(axis: some[0].shape.axis(axis)), some)
  }

  /// Stacks tensors of one shape along a new axis.
  public static func stack(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    concatenate(
      tensors.map { $0.expanded([axis]) }, axis: axis < 0 ? axis + tensors[0].rank + 1 : axis)
  }
}
