/// An element-wise comparison; the result is bools.
struct Compare: Operation {
  enum Direction: String, CaseIterable, Sendable {
    case equal = "EQ"
    case notEqual = "NE"
    case less = "LT"
    case lessOrEqual = "LE"
    case greater = "GT"
    case greaterOrEqual = "GE"
  }

  let direction: Direction

  var opcode: String { "stablehlo.compare" }
  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "comparison_direction = #stablehlo<comparison_direction \(direction.rawValue)>"
  }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(operands[0] == operands[1], "a comparison takes one type, not \(operands)")
    return [TensorType(operands[0].shape, .bool)]
  }
}

/// Takes each element from the second operand where the first is true, else from the third.
struct Select: Operation {
  var opcode: String { "stablehlo.select" }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands[0] == TensorType(operands[1].shape, .bool) && operands[1] == operands[2],
      "select takes bools and two operands of one type, not \(operands)")
    return [operands[1]]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    let zero = at.dy.zerosLike
    return [nil, at.operands[0].select(at.dy, zero), at.operands[0].select(zero, at.dy)]
  }
}

extension Tensor {
  private func compare(_ direction: Compare.Direction, _ other: Tensor) -> Tensor {
    guard let shape = shape.broadcast(with: other.shape) else {
      preconditionFailure("a comparison: \(type) and \(other.type) do not broadcast")
    }
    return Tensor(
      Compare(direction: direction), [broadcast(to: shape), other.broadcast(to: shape)])
  }

  /// True where both are equal.
  public func equal(_ other: Tensor) -> Tensor { compare(.equal, other) }
  /// True where they differ.
  public func notEqual(_ other: Tensor) -> Tensor { compare(.notEqual, other) }
  /// True where this is less.
  public func less(_ other: Tensor) -> Tensor { compare(.less, other) }
  /// True where this is less or equal.
  public func lessOrEqual(_ other: Tensor) -> Tensor { compare(.lessOrEqual, other) }
  /// True where this is greater.
  public func greater(_ other: Tensor) -> Tensor { compare(.greater, other) }
  /// True where this is greater or equal.
  public func greaterOrEqual(_ other: Tensor) -> Tensor { compare(.greaterOrEqual, other) }
  /// True where this is less than a number.
  public func less(_ other: Double) -> Tensor { less(.constant(other, dtype)) }
  /// True where this is greater than a number.
  public func greater(_ other: Double) -> Tensor { greater(.constant(other, dtype)) }

  /// The first value where this tensor of bools is true, else the second; shapes broadcast.
  public func select(_ whenTrue: Tensor, _ whenFalse: Tensor) -> Tensor {
    guard
      let shape = whenTrue.shape.broadcast(with: whenFalse.shape)?.broadcast(with: self.shape)
    else {
      preconditionFailure("select: \(type), \(whenTrue.type), \(whenFalse.type) do not broadcast")
    }
    return Tensor(
      Select(),
      [broadcast(to: shape), whenTrue.broadcast(to: shape), whenFalse.broadcast(to: shape)])
  }
}
