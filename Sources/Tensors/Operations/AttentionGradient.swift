/// The gradient of attention with respect to some of its operands.
///
/// The operands are attention's, then its results, then the cotangent. The gradient of the bias is
/// an operation of its own, because kernels compute the other gradients and most biases are not
/// trained.
struct AttentionGradient: Operation {
  let attention: Attention
  let part: Part

  /// The operands whose gradients are computed.
  enum Part: Hashable {
    /// Queries, keys and values, or the packed tensor.
    case inputs
    /// The bias.
    case bias
  }

  var opcode: String { "attention_gradient" }

  /// The indices of the operands that the results belong to.
  private var places: Range<Int> {
    switch part {
    case .inputs: 0..<attention.inputs
    case .bias: attention.biasPlace..<attention.biasPlace + 1
    }
  }

  func results(_ operands: [TensorType]) -> [TensorType] { Array(operands[places]) }

  func plain(_ operands: [Tensor]) -> [Tensor]? {
    apart(operands) { operands in
      let given = Array(operands.dropLast(3))
      let sources = Array(given[places])
      return Tensors.pullback([attention.output(given)], [operands.last!], to: sources)
        .enumerated().map { i, gradient in gradient ?? sources[i].zerosLike }
    }
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let count = at.operands.count
    let cotangents = places.indices.map { at.cotangent($0 - places.lowerBound) }
    return apart(at.operands + cotangents) { given in
      let operands = Array(given[..<count])
      return Tensors.pullback(plain(operands)!, Array(given[count...]), to: operands)
        .enumerated().map { i, gradient in gradient ?? operands[i].zerosLike }
    }
    .enumerated().map { i, gradient in at.operands[i].dtype.isFloat ? gradient : nil }
  }

  /// A function traced with fresh parameters, so that gradients treat its operands as independent.
  private func apart(_ operands: [Tensor], _ body: ([Tensor]) -> [Tensor]) -> [Tensor] {
    let (function, captured) = Subgraph.trace(operands.map(\.type), body)
    return function(operands + captured)
  }
}
