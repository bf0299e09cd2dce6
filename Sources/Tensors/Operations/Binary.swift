/// An element-wise function of two operands of one type.
struct Binary: Operation {
  enum Function: String, CaseIterable, Sendable {
    case add, subtract, multiply, divide, maximum, minimum, power, atan2, remainder
    case and, or, xor
    case shiftLeft = "shift_left"
    case shiftRight = "shift_right_logical"
  }

  let function: Function

  var opcode: String { "stablehlo.\(function.rawValue)" }

  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      operands[0] == operands[1], "\(function) takes two operands of one type, not \(operands)")
    return [operands[0]]
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (a, b, y, dy) = (at.operands[0], at.operands[1], at.y, at.dy)
    switch function {
    case .add: return [dy, dy]
    case .subtract: return [dy, -dy]
    case .multiply: return [dy * b, dy * a]
    case .divide: return [dy / b, -dy * y / b]
    case .maximum: return Self.shared(dy, first: a.greater(b), tie: a.equal(b))
    case .minimum: return Self.shared(dy, first: a.less(b), tie: a.equal(b))
    case .power:
      let logarithm = a.greater(0).select(a, .ones(a.shape, a.dtype)).log()
      // Where the exponent is 0, nothing depends on the base, not even at 0.
      let slope = b.equal(b.zerosLike).select(b, b * a.power(b - 1))
      return [dy * slope, dy * y * logarithm]
    case .atan2:
      let square = a * a + b * b
      return [dy * b / square, -dy * a / square]
    case .remainder: return [dy, -dy * Self.truncated(a / b)]
    case .and, .or, .xor, .shiftLeft, .shiftRight: return [nil, nil]
    }
  }

  /// The cotangent of a maximum or minimum: to the chosen operand, half to each on a tie.
  private static func shared(_ dy: Tensor, first: Tensor, tie: Tensor) -> [Tensor?] {
    let half = dy * 0.5
    let zero = dy.zerosLike
    return [
      tie.select(half, first.select(dy, zero)),
      tie.select(half, first.select(zero, dy)),
    ]
  }

  private static func truncated(_ x: Tensor) -> Tensor { x.sign() * x.abs().floor() }
}

extension Tensor {
  private static func binary(_ function: Binary.Function, _ a: Tensor, _ b: Tensor) -> Tensor {
    precondition(
      a.dtype == b.dtype,
      "\(function) takes operands of one element type, not \(a.type) and \(b.type)")
    guard let shape = a.shape.broadcast(with: b.shape) else {
      preconditionFailure("\(function): \(a.type) and \(b.type) do not broadcast")
    }
    return Tensor(
      Binary(function: function), [a.broadcast(to: shape), b.broadcast(to: shape)])
  }

  private func like(_ value: Double) -> Tensor { .constant(value, dtype) }

  /// The sum; shapes broadcast.
  public static func + (a: Tensor, b: Tensor) -> Tensor { binary(.add, a, b) }
  /// The difference; shapes broadcast.
  public static func - (a: Tensor, b: Tensor) -> Tensor { binary(.subtract, a, b) }
  /// The product; shapes broadcast.
  public static func * (a: Tensor, b: Tensor) -> Tensor { binary(.multiply, a, b) }
  /// The quotient; shapes broadcast.
  public static func / (a: Tensor, b: Tensor) -> Tensor { binary(.divide, a, b) }
  /// The sum with a number.
  public static func + (a: Tensor, b: Double) -> Tensor { a + a.like(b) }
  /// The difference with a number.
  public static func - (a: Tensor, b: Double) -> Tensor { a - a.like(b) }
  /// The product with a number.
  public static func * (a: Tensor, b: Double) -> Tensor { a * a.like(b) }
  /// The quotient with a number.
  public static func / (a: Tensor, b: Double) -> Tensor { a / a.like(b) }
  /// The sum with a number.
  public static func + (a: Double, b: Tensor) -> Tensor { b.like(a) + b }
  /// The difference with a number.
  public static func - (a: Double, b: Tensor) -> Tensor { b.like(a) - b }
  /// The product with a number.
  public static func * (a: Double, b: Tensor) -> Tensor { b.like(a) * b }
  /// The quotient with a number.
  public static func / (a: Double, b: Tensor) -> Tensor { b.like(a) / b }
  /// Adds in place.
  public static func += (a: inout Tensor, b: Tensor) { a = a + b }
  /// The logical or bitwise and.
  public static func & (a: Tensor, b: Tensor) -> Tensor { binary(.and, a, b) }
  /// The logical or bitwise or.
  public static func | (a: Tensor, b: Tensor) -> Tensor { binary(.or, a, b) }
  /// The logical or bitwise exclusive or.
  public static func ^ (a: Tensor, b: Tensor) -> Tensor { binary(.xor, a, b) }
  /// The bits shifted left.
  public static func << (a: Tensor, b: Int) -> Tensor { binary(.shiftLeft, a, a.like(Double(b))) }
  /// The bits shifted right, filled with zeros.
  public static func >> (a: Tensor, b: Int) -> Tensor { binary(.shiftRight, a, a.like(Double(b))) }

  /// The larger of two; shapes broadcast.
  public func maximum(_ other: Tensor) -> Tensor { Tensor.binary(.maximum, self, other) }
  /// The smaller of two; shapes broadcast.
  public func minimum(_ other: Tensor) -> Tensor { Tensor.binary(.minimum, self, other) }
  /// The larger of this and a number.
  public func maximum(_ other: Double) -> Tensor { maximum(like(other)) }
  /// The smaller of this and a number.
  public func minimum(_ other: Double) -> Tensor { minimum(like(other)) }
  /// This tensor clamped to a closed range; the gradient is zero outside it.
  public func clamped(_ range: ClosedRange<Double>) -> Tensor {
    maximum(range.lowerBound).minimum(range.upperBound)
  }
  /// This to a power; shapes broadcast.
  public func power(_ exponent: Tensor) -> Tensor { Tensor.binary(.power, self, exponent) }
  /// This to a power.
  public func power(_ exponent: Double) -> Tensor { power(like(exponent)) }
  /// The angle of the point (x, this) in radians.
  public func atan2(_ x: Tensor) -> Tensor { Tensor.binary(.atan2, self, x) }
  /// The remainder of division, with the sign of this tensor.
  public func remainder(_ divisor: Tensor) -> Tensor { Tensor.binary(.remainder, self, divisor) }
}
