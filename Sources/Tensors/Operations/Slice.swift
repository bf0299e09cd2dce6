/// A box of elements with a stride along each axis.
struct Slice: Operation {
  let start: [Int]
  let limit: [Int]
  let strides: [Int]

  var opcode: String { "stablehlo.slice" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "start_indices = array<i64: \(list(start))>, limit_indices = array<i64: \(list(limit))>, "
      + "strides = array<i64: \(list(strides))>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = operands[0]
    precondition(
      type.shape.rank == start.count
        && start.indices.allSatisfy {
          0 <= start[$0] && start[$0] <= limit[$0] && limit[$0] <= type.shape.sizes[$0]
            && strides[$0] > 0
        }, "\(start) ..< \(limit) is not within \(type)")
    let sizes = start.indices.map { (limit[$0] - start[$0] + strides[$0] - 1) / strides[$0] }
    return [TensorType(Shape(sizes), type.dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    let padding = start.indices.map { i in
      let used = at.y.shape.sizes[i] == 0 ? 0 : (at.y.shape.sizes[i] - 1) * strides[i] + 1
      return Pad.Amount(
        low: start[i], high: at.x.shape.sizes[i] - start[i] - used, interior: strides[i] - 1)
    }
    return [at.dy.pad(padding)]
  }
}

/// Consecutive slices along an axis, one result each.
struct Split: Operation {
  let sizes: [Int]
  let axis: Int

  var opcode: String { "split" }
  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = operands[0]
    precondition(
      sizes.reduce(0, +) == type.shape.sizes[axis], "\(type) cannot be split into \(sizes)")
    return sizes.map { TensorType(type.shape.replacing(axis, with: $0), type.dtype) }
  }
  func pullback(_ at: Application) -> [Tensor?] {
    [.concatenate(at.results.indices.map { at.cotangent($0) }, axis: axis)]
  }
  func plain(_ operands: [Tensor]) -> [Tensor]? {
    var start = 0
    return sizes.map { size in
      defer { start += size }
      return operands[0].slice(axis, start..<start + size)
    }
  }
}

/// Padding with one value around and between the elements.
struct Pad: Operation {
  /// Elements added along one axis; negative values remove.
  struct Amount: Hashable, Sendable {
    var low = 0
    var high = 0
    var interior = 0
  }

  let amounts: [Amount]

  var opcode: String { "stablehlo.pad" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "edge_padding_low = array<i64: \(list(amounts.map(\.low)))>, "
      + "edge_padding_high = array<i64: \(list(amounts.map(\.high)))>, "
      + "interior_padding = array<i64: \(list(amounts.map(\.interior)))>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = operands[0]
    precondition(type.shape.rank == amounts.count && operands[1] == TensorType([], type.dtype))
    let sizes = zip(type.shape.sizes, amounts).map { size, amount in
      size + amount.low + amount.high + Swift.max(0, size - 1) * amount.interior
    }
    return [TensorType(Shape(sizes), type.dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    // The inverse of padding is negative padding, and a stride over the interior.
    let dy = at.dy.pad(amounts.map { Amount(low: -$0.low, high: -$0.high) })
    let strides = amounts.map { $0.interior + 1 }
    let strided = Slice(
      start: strides.map { _ in 0 }, limit: dy.shape.sizes, strides: strides)
    let dx = strides.allSatisfy { $0 == 1 } ? dy : Tensor(strided, [dy])
    return [dx, at.dy.sum() - dx.sum()]
  }
}

extension Tensor {
  /// A slice along one axis, every `stride`-th element.
  public func slice(_ axis: Int, _ range: Range<Int>, stride: Int = 1) -> Tensor {
    let axis = shape.axis(axis)
    if range == 0..<shape.sizes[axis], stride == 1 { return self }
    var start = [Int](repeating: 0, count: rank)
    var limit = shape.sizes
    var strides = [Int](repeating: 1, count: rank)
    (start[axis], limit[axis], strides[axis]) = (range.lowerBound, range.upperBound, stride)
    return Tensor(Slice(start: start, limit: limit, strides: strides), [self])
  }

  /// Rows of the first axis.
  public subscript(_ rows: Range<Int>) -> Tensor { slice(0, rows) }

  /// One element of the first axis, which is removed.
  public subscript(_ row: Int) -> Tensor {
    slice(0, row..<row + 1).reshape(Shape(Array(shape.sizes.dropFirst())))
  }

  /// Equal consecutive slices along an axis.
  public func split(_ count: Int, axis: Int = 0) -> [Tensor] {
    precondition(shape[axis] % count == 0, "\(type) cannot be split in \(count) along \(axis)")
    return split(sizes: [Int](repeating: shape[axis] / count, count: count), axis: axis)
  }

  /// Consecutive slices of given sizes along an axis.
  public func split(sizes: [Int], axis: Int = 0) -> [Tensor] {
    sizes.count == 1 && sizes[0] == shape[axis]
      ? [self] : Node(Split(sizes: sizes, axis: shape.axis(axis)), [self]).tensors
  }

  /// The elements of an axis as separate tensors; the axis is removed.
  public func unstack(_ axis: Int = 0) -> [Tensor] {
    let axis = shape.axis(axis)
    return split(shape.sizes[axis], axis: axis).map { $0.reshape(shape.removing([axis])) }
  }

  /// Zeros around the elements: low and high for each axis; negative values remove elements.
  public func pad(_ amounts: [(low: Int, high: Int)]) -> Tensor {
    pad(amounts.map { Pad.Amount(low: $0.low, high: $0.high) })
  }

  func pad(_ amounts: [Pad.Amount]) -> Tensor {
    amounts.allSatisfy { $0 == Pad.Amount() }
      ? self : Tensor(Pad(amounts: amounts), [self, .constant(0.0, dtype)])
  }
}
