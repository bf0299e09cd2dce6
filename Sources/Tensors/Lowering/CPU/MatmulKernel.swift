extension CPULowering {
  /// A matrix multiplication in oneDNN; nil for other contractions and for small ones.
  func matmul(_ dot: Dot, _ operands: [Tensor]) -> [Tensor]? {
    guard has(.matmul), dot.dtype == .float32, operands[0].dtype == .float32,
      dot.leftBatch.isEmpty, let (left, leftAxis) = matrix(operands[0], dot.leftContracted),
      let (right, rightAxis) = matrix(operands[1], dot.rightContracted)
    else { return nil }
    // Small multiplications cost less when XLA fuses them with their surroundings.
    let result = dot.results(operands.map(\.type))[0]
    guard result.shape.count * left.shape[leftAxis] >= 1 << 20 else { return nil }
    let flat = TensorType([left.shape[1 - leftAxis], right.shape[1 - rightAxis]], dot.dtype)
    return KernelCall.results(
      of: .matmul, ["axes": .numbers([leftAxis, rightAxis])], [left, right], types: [flat]
    ).map { $0.reshape(result.shape) }
  }

  /// An operand as a matrix, with the axis that is contracted; nil where it would have to be
  /// transposed.
  private func matrix(_ operand: Tensor, _ contracted: [Int]) -> (Tensor, axis: Int)? {
    let count = contracted.reduce(1) { $0 * operand.shape[$1] }
    if contracted == Array(operand.rank - contracted.count..<operand.rank) {
      return (operand.reshape([-1, count]), 1)
    }
    if contracted == Array(0..<contracted.count) { return (operand.reshape([count, -1]), 0) }
    return nil
  }
}
