/// Slices of one axis by index; an index out of range takes the nearest slice.
struct Gather: Operation {
  let axis: Int

  var opcode: String { "stablehlo.gather" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (source, indices) = (operands[0].shape.sizes, operands[1].shape.sizes)
    precondition(operands[1].dtype.isInteger, "indices are integers, not \(operands[1])")
    return [
      TensorType(Shape(source[..<axis] + indices + source[(axis + 1)...]), operands[0].dtype)
    ]
  }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let indexRank = operands[1].shape.rank
    let slice = operands[0].shape.replacing(axis, with: 1)
    return "dimension_numbers = #stablehlo.gather<"
      + "offset_dims = [\(list(Self.offsetAxes(axis, indexRank, results[0].shape.rank)))], "
      + "collapsed_slice_dims = [\(axis)], start_index_map = [\(axis)], "
      + "index_vector_dim = \(indexRank)>, "
      + "slice_sizes = array<i64: \(list(slice.sizes))>, indices_are_sorted = false"
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let indices = at.operands[1].clamped(0...Double(Swift.max(0, at.x.shape.sizes[axis] - 1)))
    return [Tensor(ScatterAdd(axis: axis), [at.x.zerosLike, indices, at.dy]), nil]
  }

  /// The result's axes that come from the source, not from the indices.
  static func offsetAxes(_ axis: Int, _ indexRank: Int, _ rank: Int) -> [Int] {
    Array(0..<axis) + Array((axis + indexRank)..<rank)
  }
}

/// Adds slices to one axis of the first operand at indices; those out of range are dropped.
struct ScatterAdd: Operation {
  let axis: Int

  var opcode: String { "stablehlo.scatter" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      Gather(axis: axis).results(Array(operands[..<2])) == [operands[2]],
      "scatter's operands have mismatched shapes: \(operands)")
    return [operands[0]]
  }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let indexRank = operands[1].shape.rank
    let window = Gather.offsetAxes(axis, indexRank, operands[2].shape.rank)
    return "scatter_dimension_numbers = #stablehlo.scatter<"
      + "update_window_dims = [\(list(window))], inserted_window_dims = [\(axis)], "
      + "scatter_dims_to_operand_dims = [\(axis)], index_vector_dim = \(indexRank)>, "
      + "indices_are_sorted = false, unique_indices = false"
  }

  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String] {
    let scalar = TensorType([], operands[0].dtype)
    let (a, b) = (Tensor.parameter(scalar), Tensor.parameter(scalar))
    return [emitter.region(Subgraph([a, b], [a + b]))]
  }

  func pullback(_ at: Application) -> [Tensor?] {
    [at.dy, nil, at.dy.take(at.operands[1], axis: axis)]
  }
}

/// A box whose start is known only at run time; it is clamped to the array.
struct DynamicSlice: Operation {
  let sizes: [Int]

  var opcode: String { "stablehlo.dynamic_slice" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "slice_sizes = array<i64: \(list(sizes))>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands.count == sizes.count + 1, "a dynamic slice needs one start for each axis")
    return [TensorType(Shape(sizes), operands[0].dtype)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    let starts = Array(at.operands.dropFirst())
    return [Tensor(DynamicUpdate(), [at.x.zerosLike, at.dy] + starts)] + starts.map { _ in nil }
  }
}

/// The first operand with a box replaced by the second one.
struct DynamicUpdate: Operation {
  var opcode: String { "stablehlo.dynamic_update_slice" }
  func results(_ operands: [TensorType]) -> [TensorType] { [operands[0]] }
  func pullback(_ at: Application) -> [Tensor?] {
    let (update, starts) = (at.operands[1], Array(at.operands.dropFirst(2)))
    let kept = Tensor(DynamicUpdate(), [at.dy, update.zerosLike] + starts)
    let box = Tensor(DynamicSlice(sizes: update.shape.sizes), [at.dy] + starts)
    return [kept, box] + starts.map { _ in nil }
  }
}

extension Tensor {
  /// Slices of an axis by integer indices of any shape, whose axes replace the axis.
  ///
  /// An index out of range takes the nearest slice.
  public func take(_ indices: Tensor, axis: Int = 0) -> Tensor {
    Tensor(Gather(axis: shape.axis(axis)), [self, indices])
  }

  /// The one-hot encoding of indices along a new last axis.
  public func oneHot(_ count: Int, _ dtype: DType = .float32) -> Tensor {
    let classes = Tensor.iota(Shape(shape.sizes + [count]), axis: -1, self.dtype)
    return expanded([rank]).equal(classes).cast(to: dtype)
  }

  /// This with a part along one axis replaced.
  ///
  /// - Parameters:
  ///   - start: the part's first index, an integer scalar known only at run time; it is clamped.
  ///   - part: of this tensor's shape, apart from the axis.
  public func updated(_ axis: Int, from start: Tensor, with part: Tensor) -> Tensor {
    let axis = shape.axis(axis)
    precondition(
      shape.replacing(axis, with: part.shape[axis]) == part.shape && part.dtype == dtype
        && part.shape[axis] <= shape[axis],
      "\(part.type) does not replace a part of \(type) along axis \(axis)")
    let zero = Tensor.constant(0.0, start.dtype)
    return Tensor(
      DynamicUpdate(), [self, part] + shape.sizes.indices.map { $0 == axis ? start : zero })
  }

  /// One element of the first axis at an index known only at run time; the axis is removed.
  func at(_ row: Tensor) -> Tensor {
    let rest = Array(shape.sizes.dropFirst())
    let zero = Tensor.constant(0.0, row.dtype)
    let slice = Tensor(DynamicSlice(sizes: [1] + rest), [self, row] + rest.map { _ in zero })
    return slice.reshape(Shape(rest))
  }

  /// This with one element of the first axis replaced.
  func updating(_ row: Tensor, with value: Tensor) -> Tensor {
    let zero = Tensor.constant(0.0, row.dtype)
    let starts = [row] + value.shape.sizes.map { _ in zero }
    return Tensor(DynamicUpdate(), [self, value.expanded([0])] + starts)
  }
}
