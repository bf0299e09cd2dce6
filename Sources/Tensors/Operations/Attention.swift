/// Scaled dot-product attention.
///
/// The operands are queries `[batch, tokens, heads, width]`, keys and values
/// `[batch, keys, key heads, width]`, or all three packed in one as
/// `[batch, tokens, 3, heads, width]`; then lengths, mask and bias, where given. The results
/// are `[batch, tokens, heads, width]` and, for the gradient, a kernel's sums of the
/// exponentials of the scores, `[batch, heads, tokens]` in f32 or wider, which are zeros without
/// a kernel.
struct Attention: Operation {
  let isPacked: Bool
  let scale: Double
  let softCap: Double?
  /// How many keys a query sees before and after its position, nil for all.
  let before: Int?
  let after: Int?
  /// Whether the numbers of valid keys, s32 `[batch]`, are given.
  let hasLengths: Bool
  /// Whether a mask is given: bools that broadcast to `[batch, heads, queries, keys]`.
  let hasMask: Bool
  /// Whether a bias is given: floats that broadcast to the same shape.
  let hasBias: Bool

  var opcode: String { "attention" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (queries, keys, values) = types(operands)
    let sizes = queries.shape.sizes
    precondition(
      sizes.count == 4 && keys.shape == values.shape && keys.shape.rank == 4
        && keys.shape[0] == sizes[0] && keys.shape[3] == sizes[3] && keys.shape[2] > 0
        && sizes[2] % keys.shape[2] == 0 && Set([queries, keys, values].map(\.dtype)).count == 1,
      "attention of \(queries) to \(keys) and \(values) has mismatched shapes or element types")
    let scores = [sizes[0], sizes[2], sizes[1], keys.shape[1]]
    let given = given(operands)
    if let lengths = given.lengths {
      precondition(
        lengths == TensorType([sizes[0]], .int32),
        "the numbers of valid keys of \(sizes[0]) samples are s32[\(sizes[0])], not \(lengths)")
    }
    for (name, type) in [("mask", given.mask), ("bias", given.bias)] {
      guard let type else { continue }
      precondition(
        (name == "mask" ? type.dtype == .bool : type.dtype.isFloat) && type.shape.rank == 4
          && zip(type.shape.sizes, scores).allSatisfy { $0 == 1 || $0 == $1 },
        "a \(name) \(type) does not fit scores of \(scores)")
    }
    let exact: DType = queries.dtype == .float64 ? .float64 : .float32
    return [queries, TensorType([sizes[0], sizes[2], sizes[1]], exact)]
  }

  /// The types of queries, keys and values.
  func types(_ operands: [TensorType]) -> (TensorType, TensorType, TensorType) {
    guard isPacked else { return (operands[0], operands[1], operands[2]) }
    let packed = operands[0]
    precondition(packed.shape.rank == 5 && packed.shape[2] == 3, "\(packed) is not packed")
    let sizes = packed.shape.sizes
    let type = TensorType(Shape(Array(sizes[..<2]) + sizes[3...]), packed.dtype)
    return (type, type, type)
  }

  /// The number of operands before lengths, mask and bias.
  var inputs: Int { isPacked ? 1 : 3 }

  /// The number of all operands.
  var operandCount: Int { inputs + [hasLengths, hasMask, hasBias].count { $0 } }

  /// The index of the bias among the operands.
  var biasPlace: Int { operandCount - 1 }

  /// Lengths, mask and bias among the operands or their types; nil where they are not given.
  func given<T>(_ operands: [T]) -> (lengths: T?, mask: T?, bias: T?) {
    let mask = inputs + (hasLengths ? 1 : 0)
    return (
      hasLengths ? operands[inputs] : nil, hasMask ? operands[mask] : nil,
      hasBias ? operands[biasPlace] : nil
    )
  }

  /// Queries, keys and values, unpacked.
  func parts(_ operands: [Tensor]) -> (queries: Tensor, keys: Tensor, values: Tensor) {
    guard isPacked else { return (operands[0], operands[1], operands[2]) }
    let sizes = types(operands.map(\.type)).0.shape
    let parts = operands[0].split(3, axis: 2).map { $0.reshape(sizes) }
    return (parts[0], parts[1], parts[2])
  }

  /// Whether some query may see no key.
  func mayBeBlind(_ operands: [TensorType]) -> Bool {
    let (queries, keys, _) = types(operands)
    return hasLengths || hasMask
      || (before != nil || after != nil) && queries.shape[1] > keys.shape[1]
  }

  /// Which keys each query sees, bools that broadcast to `[batch, heads, queries, keys]`; nil
  /// where all see all.
  func visible(_ operands: [Tensor]) -> Tensor? {
    let (queries, keys, _) = types(operands.map(\.type))
    let (tokens, count) = (queries.shape[1], keys.shape[1])
    let given = given(operands)
    var parts = given.mask.map { [$0] } ?? []
    let key = Tensor.iota([1, 1, 1, count], axis: 3, .int32)
    if let lengths = given.lengths { parts.append(key.less(lengths.expanded(toRank: 4))) }
    if before != nil || after != nil {
      let shift = Tensor.constant(Double(count - tokens), .int32)
      let position = Tensor.iota([1, 1, tokens, 1], axis: 2, .int32) + shift
      let distance = key - position
      if let after { parts.append(distance.lessOrEqual(.constant(Double(after), .int32))) }
      if let before { parts.append(distance.greaterOrEqual(.constant(Double(-before), .int32))) }
    }
    guard let first = parts.first else { return nil }
    return parts.dropFirst().reduce(first) { $0 & $1 }
  }

  func plain(_ operands: [Tensor]) -> [Tensor]? {
    let sums = results(operands.map(\.type))[1]
    return [output(operands), .zeros(sums.shape, sums.dtype)]
  }

  /// The output in terms of other operations.
  func output(_ operands: [Tensor]) -> Tensor {
    let (queries, keys, values) = parts(operands)
    let exact: DType = queries.dtype == .float64 ? .float64 : .float32
    let sizes = queries.shape.sizes
    let (batch, tokens, heads, width) = (sizes[0], sizes[1], sizes[2], sizes[3])
    let (count, keyHeads) = (keys.shape[1], keys.shape[2])
    // Heads that share keys are stacked along the tokens.
    let rows = heads / keyHeads * tokens
    let shape = Shape([batch, heads, tokens, count])
    var scores = queries.transpose([0, 2, 1, 3]).reshape([batch, keyHeads, rows, width]).dot(
      keys.transpose([0, 2, 1, 3]), contracting: ([3], [3]), batch: ([0, 1], [0, 1]), result: exact
    ).reshape(shape)
    scores = scores * scale
    if let softCap { scores = (scores / softCap).tanh() * softCap }
    if let bias = given(operands).bias { scores = scores + bias.cast(to: exact) }
    let visible = visible(operands)?.broadcast(to: shape)
    if let visible { scores = visible.select(scores, .constant(-1e30, exact)) }
    var weights = scores.softmax().cast(to: values.dtype)
    if let visible, mayBeBlind(operands.map(\.type)) {
      weights = visible.select(weights, .constant(0, weights.dtype))
    }
    let mixed = weights.reshape([batch, keyHeads, rows, count]).dot(
      values.transpose([0, 2, 1, 3]), contracting: ([3], [2]), batch: ([0, 1], [0, 1]))
    return mixed.reshape([batch, heads, tokens, width]).transpose([0, 2, 1, 3])
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let operands = at.operands + at.results + [at.cotangent(0)]
    var all = [Tensor?](repeating: nil, count: at.operands.count)
    let inputs = Node(AttentionGradient(attention: self, part: .inputs), operands)
    for (place, gradient) in inputs.tensors.enumerated() { all[place] = gradient }
    if hasBias {
      all[biasPlace] = Tensor(AttentionGradient(attention: self, part: .bias), operands)
    }
    return all
  }
}

extension Attention {
  /// How the operands are sharded over a mesh: by samples and heads.
  func shardings(_ operands: [TensorType]) -> [Sharding] {
    let input: [LogicalAxis?] = isPacked ? [.batch, nil, nil, .heads] : [.batch, nil, .heads]
    return operands.enumerated().map { i, operand in
      if i < inputs { return Sharding(input) }
      let sizes = operand.shape.sizes
      if sizes.count == 1 { return Sharding([.batch]) }
      return Sharding([sizes[0] > 1 ? .batch : nil, sizes[1] > 1 ? .heads : nil])
    }
  }

  /// How the results are sharded over a mesh.
  static let resultShardings = [Sharding([.batch, nil, .heads]), Sharding([.batch, .heads])]
}
