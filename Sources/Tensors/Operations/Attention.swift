/// Scaled dot-product attention.
///
/// The operands are queries, keys and values `[batch, tokens, heads, width]` each, or all three
/// packed in one as `[batch, tokens, 3, heads, width]`, and the mask if there is one. The results are
/// `[batch, tokens, heads, width]` and, for the gradient, what a kernel keeps of the sums of the
/// exponentials of the scaled scores, `[batch, heads, tokens]` in f32 at least, which are zeros
/// without a kernel.
struct Attention: Operation {
  let isPacked: Bool
  let scale: Double

  var opcode: String { "attention" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (queries, keys, values, mask) = types(operands)
    let sizes = queries.shape.sizes
    precondition(
      sizes.count == 4 && keys.shape == values.shape && keys.shape.rank == 4
        && keys.shape[0] == sizes[0] && keys.shape.sizes[2...] == sizes[2...]
        && Set([queries, keys, values].map(\.dtype)).count == 1,
      "attention of \(queries) to \(keys) and \(values) does not fit")
    if let mask {
      let scores = [sizes[0], sizes[2], sizes[1], keys.shape[1]]
      precondition(
        mask.dtype == .bool && mask.shape.rank == 4
          && zip(mask.shape.sizes, scores).allSatisfy { $0 == 1 || $0 == $1 },
        "a mask \(mask) does not fit scores of \(scores)")
    }
    let exact: DType = queries.dtype == .float64 ? .float64 : .float32
    return [queries, TensorType([sizes[0], sizes[2], sizes[1]], exact)]
  }

  /// The types of queries, keys, values and mask.
  private func types(
    _ operands: [TensorType]
  ) -> (TensorType, TensorType, TensorType, TensorType?) {
    let inputs = inputs
    let mask = operands.count > inputs ? operands[inputs] : nil
    guard isPacked else { return (operands[0], operands[1], operands[2], mask) }
    let packed = operands[0]
    precondition(packed.shape.rank == 5 && packed.shape[2] == 3, "\(packed) is not packed")
    let sizes = packed.shape.sizes
    let part = TensorType(Shape(Array(sizes[..<2]) + sizes[3...]), packed.dtype)
    return (part, part, part, mask)
  }

  /// The number of operands before the mask.
  var inputs: Int { isPacked ? 1 : 3 }

  /// How the operands are split over a mesh: by samples and heads.
  func shardings(_ operands: [TensorType]) -> [Sharding] {
    let whole: [LogicalAxis?] = isPacked ? [.batch, nil, nil, .heads] : [.batch, nil, .heads]
    return operands.enumerated().map { i, operand in
      guard i == inputs else { return Sharding(whole) }
      let sizes = operand.shape.sizes
      return Sharding([sizes[0] > 1 ? .batch : nil, sizes[1] > 1 ? .heads : nil])
    }
  }

  /// How the results are split over a mesh.
  static let resultShardings = [Sharding([.batch, nil, .heads]), Sharding([.batch, .heads])]

  func plain(_ operands: [Tensor]) -> [Tensor]? {
    let sums = results(operands.map(\.type))[1]
    return [output(operands), .zeros(sums.shape, sums.dtype)]
  }

  /// The output from other operations.
  func output(_ operands: [Tensor]) -> Tensor {
    var parts = Array(operands.prefix(inputs))
    if isPacked {
      let sizes = results(operands.map(\.type))[0].shape
      parts = operands[0].split(3, axis: 2).map { $0.reshape(sizes) }
    }
    let (queries, keys, values) = (parts[0], parts[1], parts[2])
    let exact: DType = queries.dtype == .float64 ? .float64 : .float32
    var scores = queries.transpose([0, 2, 1, 3]).dot(
      keys.transpose([0, 2, 1, 3]), contracting: ([3], [3]), batch: ([0, 1], [0, 1]), result: exact)
    scores = scores * scale
    if operands.count > inputs {
      scores = operands[inputs].broadcast(to: scores.shape)
        .select(scores, .constant(-1e30, exact))
    }
    let weights = scores.softmax().cast(to: values.dtype)
    let mixed = weights.dot(
      values.transpose([0, 2, 1, 3]), contracting: ([3], [2]), batch: ([0, 1], [0, 1]))
    return mixed.transpose([0, 2, 1, 3])
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let gradient = AttentionGradient(attention: self)
    let node = Node(gradient, at.operands + at.results + [at.cotangent(0)])
    return node.tensors + [Tensor?](repeating: nil, count: at.operands.count - inputs)
  }
}

/// What a cotangent of attention makes of its operands but the mask.
///
/// The operands are attention's, then its results, then the cotangent.
struct AttentionGradient: Operation {
  let attention: Attention

  var opcode: String { "attention_gradient" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    Array(operands.prefix(attention.inputs))
  }

  func plain(_ operands: [Tensor]) -> [Tensor]? {
    apart(operands) { operands in
      let given = Array(operands.dropLast(3))
      let inputs = Array(given.prefix(attention.inputs))
      return Tensors.pullback([attention.output(given)], [operands.last!], to: inputs)
        .enumerated().map { i, gradient in gradient ?? inputs[i].zerosLike }
    }
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let count = at.operands.count
    let cotangents = results(at.operands.map(\.type)).indices.map { at.cotangent($0) }
    return apart(at.operands + cotangents) { given in
      let operands = Array(given[..<count])
      return Tensors.pullback(plain(operands)!, Array(given[count...]), to: operands)
        .enumerated().map { i, gradient in gradient ?? operands[i].zerosLike }
    }
    .enumerated().map { i, gradient in at.operands[i].dtype == .bool ? nil : gradient }
  }

  /// A function of operands as if none of them depended on another: what its gradients must see.
  private func apart(_ operands: [Tensor], _ body: ([Tensor]) -> [Tensor]) -> [Tensor] {
    let (function, captured) = Subgraph.trace(operands.map(\.type), body)
    return function(operands + captured)
  }
}

extension Tensor {
  /// Scaled dot-product attention: this is the queries.
  ///
  /// - Parameters:
  ///   - keys: `[batch, tokens, heads, width]`, as the queries `[batch, queries, heads, width]`.
  ///   - values: as the keys.
  ///   - mask: bools that broadcast to `[batch, heads, queries, tokens]`, true where a query may
  ///     look; every query must see something.
  ///   - scale: by default 1/√width.
  /// - Returns: `[batch, queries, heads, width]`. The softmax is computed in f32 at least.
  public func attention(
    keys: Tensor, values: Tensor, mask: Tensor? = nil, scale: Double? = nil
  ) -> Tensor {
    let scale = scale ?? 1 / Double(shape[-1]).squareRoot()
    let operation = Attention(isPacked: false, scale: scale)
    return Node(operation, [self, keys, values] + Self.masks(mask)).tensors[0]
  }

  /// Scaled dot-product attention of tokens to each other.
  ///
  /// This is their queries, keys and values, packed as `[batch, tokens, 3, heads, width]`.
  ///
  /// - Parameters:
  ///   - mask: as for `attention(keys:values:mask:scale:)`.
  ///   - scale: by default 1/√width.
  /// - Returns: `[batch, tokens, heads, width]`.
  public func selfAttention(mask: Tensor? = nil, scale: Double? = nil) -> Tensor {
    let scale = scale ?? 1 / Double(shape[-1]).squareRoot()
    return Node(Attention(isPacked: true, scale: scale), [self] + Self.masks(mask)).tensors[0]
  }

  /// A mask with all four axes, or none.
  private static func masks(_ mask: Tensor?) -> [Tensor] {
    mask.map { [$0.expanded(Array(0..<4 - $0.rank))] } ?? []
  }
}
