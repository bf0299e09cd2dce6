/// Sorts several tensors together along an axis by the values of the first, ascending.
struct Sort: Operation {
  let axis: Int

  var opcode: String { "stablehlo.sort" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "dimension = \(axis) : i64, is_stable = true"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands.allSatisfy { $0.shape == operands[0].shape },
      "sort takes operands of one shape: \(operands)")
    return operands
  }
  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String] {
    let parameters = operands.flatMap { type in
      [0, 1].map { _ in Tensor.parameter(TensorType([], type.dtype)) }
    }
    return [emitter.region(Subgraph(parameters, [parameters[0].less(parameters[1])]))]
  }
}

extension Tensor {
  /// The indices that sort the values along an axis in ascending order, stable; s32.
  public func argsort(_ axis: Int = -1) -> Tensor {
    let index = Tensor.iota(shape, axis: axis, .int32)
    return Node(Sort(axis: shape.axis(axis)), [stopGradient(), index]).tensors[1]
  }
}
