/// An element-wise function of one operand.
struct Unary: Operation {
  enum Function: String, CaseIterable, Sendable {
    case abs, cbrt, ceil, cosine, exponential, floor, log, logistic, negate, not, rsqrt, sign, sine
    case sqrt, tan, tanh
    case exponentialMinusOne = "exponential_minus_one"
    case logPlusOne = "log_plus_one"
    case roundNearestEven = "round_nearest_even"
    case erf, erfInverse = "erf_inv", lgamma, digamma
  }

  let function: Function

  var opcode: String {
    switch function {
    case .erf, .erfInverse, .lgamma, .digamma: "chlo.\(function.rawValue)"
    default: "stablehlo.\(function.rawValue)"
    }
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    let type = operands[0]
    switch function {
    case .not:
      precondition(!type.dtype.isFloat, "not takes bools or integers, not \(type)")
    case .abs, .negate, .sign:
      precondition(type.dtype != .bool, "\(function) takes numbers, not \(type)")
    default:
      precondition(type.dtype.isFloat, "\(function) takes floats, not \(type)")
    }
    return [type]
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let (x, y, dy) = (at.x, at.y, at.dy)
    switch function {
    case .ceil, .floor, .not, .roundNearestEven, .sign: return [nil]
    case .abs: return [dy * x.sign()]
    case .cbrt: return [dy / (3 * y * y)]
    case .cosine: return [-dy * x.sin()]
    case .exponential: return [dy * y]
    case .exponentialMinusOne: return [dy * (y + 1)]
    case .log: return [dy / x]
    case .logPlusOne: return [dy / (x + 1)]
    case .logistic: return [dy * y * (1 - y)]
    case .negate: return [-dy]
    case .rsqrt: return [dy * (-0.5) * y / x]
    case .sine: return [dy * x.cos()]
    case .sqrt: return [dy * 0.5 / y]
    case .tan: return [dy * (1 + y * y)]
    case .tanh: return [dy * (1 - y * y)]
    case .erf: return [dy * (2 / Double.pi.squareRoot()) * (-(x * x)).exp()]
    case .erfInverse: return [dy * (Double.pi.squareRoot() / 2) * (y * y).exp()]
    case .lgamma: return [dy * Tensor(Unary(function: .digamma), [x])]
    case .digamma: preconditionFailure("the gradient of digamma is not implemented")
    }
  }
}

extension Tensor {
  private func unary(_ function: Unary.Function) -> Tensor {
    Tensor(Unary(function: function), [self])
  }

  /// The absolute value.
  public func abs() -> Tensor { unary(.abs) }
  /// The cube root.
  public func cbrt() -> Tensor { unary(.cbrt) }
  /// The smallest integer that is not below.
  public func ceil() -> Tensor { unary(.ceil) }
  /// The cosine of radians.
  public func cos() -> Tensor { unary(.cosine) }
  /// The exponential, eˣ.
  public func exp() -> Tensor { unary(.exponential) }
  /// eˣ − 1, accurate near zero.
  public func expm1() -> Tensor { unary(.exponentialMinusOne) }
  /// The largest integer that is not above.
  public func floor() -> Tensor { unary(.floor) }
  /// The natural logarithm.
  public func log() -> Tensor { unary(.log) }
  /// log(1 + x), accurate near zero.
  public func log1p() -> Tensor { unary(.logPlusOne) }
  /// 1 / (1 + e⁻ˣ).
  public func sigmoid() -> Tensor { unary(.logistic) }
  /// The nearest integer, halves to even.
  public func rounded() -> Tensor { unary(.roundNearestEven) }
  /// 1 / √x.
  public func rsqrt() -> Tensor { unary(.rsqrt) }
  /// −1, 0 or 1.
  public func sign() -> Tensor { unary(.sign) }
  /// The sine of radians.
  public func sin() -> Tensor { unary(.sine) }
  /// The square root.
  public func sqrt() -> Tensor { unary(.sqrt) }
  /// The tangent of radians.
  public func tan() -> Tensor { unary(.tan) }
  /// The hyperbolic tangent.
  public func tanh() -> Tensor { unary(.tanh) }
  /// The error function.
  public func erf() -> Tensor { unary(.erf) }
  /// The inverse of the error function, for values within (−1, 1).
  public func erfInverse() -> Tensor { unary(.erfInverse) }
  /// The logarithm of the absolute value of the gamma function.
  public func lgamma() -> Tensor { unary(.lgamma) }
  /// The square.
  public func squared() -> Tensor { self * self }

  /// The negative.
  public static prefix func - (x: Tensor) -> Tensor { x.unary(.negate) }
  /// The logical or bitwise complement.
  public static prefix func ! (x: Tensor) -> Tensor { x.unary(.not) }
}
