import Recipe
import Tensors

/// A change of a network's embedded condition, `c' = a·c + b`, that marks the fake branch in place of
/// negative times: Liu and others, "Self-adversarial one step generation via condition shifting" (APEX),
/// arXiv 2604.12322.
public struct ConditionShift: Codable, Hashable, Sendable, RecipeForm {
  /// Two numbers.
  public static let form = "`[a, b]`; `[1, 0]` leaves the condition as it is"

  /// The factor a.
  public var scale: Double
  /// The offset b of every feature.
  public var offset: Double

  /// Makes a shift, by default none.
  public init(scale: Double = 1, offset: Double = 0) {
    (self.scale, self.offset) = (scale, offset)
  }

  /// Reads `[a, b]`.
  public init(from decoder: any Decoder) throws {
    let values = try [Double](from: decoder)
    guard values.count == 2 else {
      throw InvalidRecipeValue(values, "it must be [a, b], as in [-0.5, 1]")
    }
    self.init(scale: values[0], offset: values[1])
  }

  /// Writes `[a, b]`.
  public func encode(to encoder: any Encoder) throws { try [scale, offset].encode(to: encoder) }

  /// Whether it leaves the condition as it is.
  public var isNone: Bool { scale == 1 && offset == 0 }

  /// The name among a network's conditions, floats `[batch, 2]`.
  static let name = "shift"

  /// A condition that is shifted on some rows, and the same as without a shift on the others.
  func applied(to condition: Named<Tensor>, rows: Range<Int>, of batch: Int) -> Named<Tensor> {
    guard !isNone else { return condition }
    let (own, none) = ([Float(scale), Float(offset)], [Float(1), 0])
    let values = (0..<batch).flatMap { rows.contains($0) ? own : none }
    var shifted = condition
    shifted[Self.name] = .constant(values, shape: [batch, 2])
    return shifted
  }
}

extension Tensor {
  /// An embedded condition `[batch, …]` as `ConditionShift` changes it; the same where it changes nothing.
  ///
  /// - Parameter condition: the conditions that the network got.
  public func shifted(by condition: Named<Tensor>) -> Tensor {
    guard let shift = condition[ConditionShift.name] else { return self }
    let parts = shift.split(2, axis: 1).map {
      $0.reshape([shape[0]]).expanded(toRank: rank).cast(to: dtype)
    }
    return self * parts[0] + parts[1]
  }
}
