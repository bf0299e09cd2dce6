/// A contraction of two operands over axes, separate for each element of the batch axes.
///
/// The result's axes: batch, then the free axes of the left operand, then those of the right one.
struct Dot: Operation {
  let leftBatch: [Int]
  let rightBatch: [Int]
  let leftContracted: [Int]
  let rightContracted: [Int]
  let dtype: DType

  var opcode: String { "stablehlo.dot_general" }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "dot_dimension_numbers = #stablehlo.dot<lhs_batching_dimensions = [\(list(leftBatch))], "
      + "rhs_batching_dimensions = [\(list(rightBatch))], "
      + "lhs_contracting_dimensions = [\(list(leftContracted))], "
      + "rhs_contracting_dimensions = [\(list(rightContracted))]>, "
      + operands[0].dtype.precisionConfig
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let (left, right) = (operands[0].shape, operands[1].shape)
    precondition(
      operands[0].dtype == operands[1].dtype
        && leftBatch.map { left.sizes[$0] } == rightBatch.map { right.sizes[$0] }
        && leftContracted.map { left.sizes[$0] } == rightContracted.map { right.sizes[$0] },
      "a contraction of \(operands[0]) over \(leftContracted) and \(operands[1]) over "
        + "\(rightContracted), batch \(leftBatch) and \(rightBatch), has mismatched shapes or element types"
    )
    let sizes =
      leftBatch.map { left.sizes[$0] }
      + free(left.rank, leftBatch, leftContracted).map { left.sizes[$0] }
      + free(right.rank, rightBatch, rightContracted).map { right.sizes[$0] }
    return [TensorType(Shape(sizes), dtype)]
  }

  private func free(_ rank: Int, _ batch: [Int], _ contracted: [Int]) -> [Int] {
    (0..<rank).filter { !batch.contains($0) && !contracted.contains($0) }
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (left, right) = (at.operands[0], at.operands[1])
    let leftFree = free(left.rank, leftBatch, leftContracted)
    let rightFree = free(right.rank, rightBatch, rightContracted)
    let batch = Array(0..<leftBatch.count)
    let leftInResult = (0..<leftFree.count).map { batch.count + $0 }
    let rightInResult = (0..<rightFree.count).map { batch.count + leftFree.count + $0 }
    let dy = at.dy.cast(to: left.dtype)

    // The axes of each result: batch, dy's free ones, the other operand's contracted ones in order.
    let rightOrder = rightContracted.indices.sorted { rightContracted[$0] < rightContracted[$1] }
    let dl = Tensor(
      Dot(
        leftBatch: batch, rightBatch: rightBatch, leftContracted: rightInResult,
        rightContracted: rightFree, dtype: left.dtype), [dy, right])
    let leftPlaces = leftBatch + leftFree + rightOrder.map { leftContracted[$0] }

    let leftOrder = leftContracted.indices.sorted { leftContracted[$0] < leftContracted[$1] }
    let dr = Tensor(
      Dot(
        leftBatch: batch, rightBatch: leftBatch, leftContracted: leftInResult,
        rightContracted: leftFree, dtype: right.dtype), [dy, left])
    let rightPlaces = rightBatch + rightFree + leftOrder.map { rightContracted[$0] }
    return [dl.transpose(inverse(leftPlaces)), dr.transpose(inverse(rightPlaces))]
  }

  private func inverse(_ places: [Int]) -> [Int] {
    var inverse = places
    for (from, to) in places.enumerated() { inverse[to] = from }
    return inverse
  }
}

extension DType {
  /// The attribute that keeps f32 at full precision; a GPU would otherwise round inputs to TF32.
  var precisionConfig: String {
    let precision = "#stablehlo<precision \(self == .float32 ? "HIGHEST" : "DEFAULT")>"
    return "precision_config = [\(precision), \(precision)]"
  }
}

extension Tensor {
  /// A contraction over axes, separate for each element of the batch axes.
  ///
  /// The result's axes: batch, then this tensor's free axes, then those of the other. Half
  /// precision accumulates in f32, which `result` may preserve.
  public func dot(
    _ other: Tensor, contracting: (left: [Int], right: [Int]),
    batch: (left: [Int], right: [Int]) = ([], []), result: DType? = nil
  ) -> Tensor {
    let operation = Dot(
      leftBatch: batch.left.map { shape.axis($0) },
      rightBatch: batch.right.map { other.shape.axis($0) },
      leftContracted: contracting.left.map { shape.axis($0) },
      rightContracted: contracting.right.map { other.shape.axis($0) },
      dtype: result ?? dtype)
    return Tensor(operation, [self, other])
  }

  /// The matrix multiplication of the last two axes; leading axes must be equal, or absent on the
  /// right.
  ///
  /// `[…, m, k] · [k, n]` and `[…, m, k] · […, k, n]` give `[…, m, n]`. With a plain
  /// matrix on the right, leading axes are flattened, which runs a third faster on the CPU.
  public func matmul(_ other: Tensor) -> Tensor {
    precondition(
      rank >= 2 && other.rank >= 2, "a matrix multiplication of \(type) and \(other.type)")
    if other.rank == 2 {
      let flat = reshape([-1, shape[-1]]).dot(other, contracting: ([1], [0]))
      return flat.reshape(Shape(Array(shape.sizes.dropLast()) + [other.shape[1]]))
    }
    let batch = Array(0..<rank - 2)
    return dot(other, contracting: ([-1], [-2]), batch: (batch, batch))
  }

  /// A contraction in Einstein notation, such as `"bqhd,bkhd->bhqk"`; each letter is an axis.
  ///
  /// Letters in both operands and the result are batch axes, those in both operands only are
  /// contracted; a letter in one operand only must be in the result.
  public static func einsum(_ equation: String, _ left: Tensor, _ right: Tensor) -> Tensor {
    let parts = equation.split(separator: ">", omittingEmptySubsequences: false)
    let inputs = parts[0].dropLast().split(separator: ",", omittingEmptySubsequences: false)
      .map(Array.init)
    precondition(
      parts.count == 2 && inputs.count == 2, "\"\(equation)\" is not an equation of two operands")
    let (l, r, out) = (inputs[0], inputs[1], Array(parts[1]))
    precondition(
      l.count == left.rank && r.count == right.rank
        && Set(l).count == l.count && Set(r).count == r.count,
      "\"\(equation)\" does not fit \(left.type) and \(right.type)")
    let batch = l.filter { r.contains($0) && out.contains($0) }
    let contracted = l.filter { r.contains($0) && !out.contains($0) }
    let free = { (letters: [Character]) in
      letters.filter { !batch.contains($0) && !contracted.contains($0) }
    }
    let places = { (letters: [Character], some: [Character]) in
      some.map { letters.firstIndex(of: $0)! }
    }
    let product = left.dot(
      right, contracting: (places(l, contracted), places(r, contracted)),
      batch: (places(l, batch), places(r, batch)))
    let have = batch + free(l) + free(r)
    precondition(
      have.sorted() == out.sorted(),
      "\"\(equation)\": its result must have every free letter of the operands, and no other")
    return product.transpose(places(have, out))
  }
}
