/// A range that the value of a key can be bound to.
public protocol RecipeRange<Bound>: RangeExpression {
  /// The valid values, as in messages.
  var condition: String { get }
}

extension ClosedRange: RecipeRange {
  /// Both ends.
  public var condition: String { "it must be from \(lowerBound) to \(upperBound)" }
}

extension PartialRangeFrom: RecipeRange {
  /// The minimum.
  public var condition: String { "it must be \(lowerBound) or more" }
}

extension Range: RecipeRange {
  /// Both ends, of which the upper one is not valid.
  public var condition: String { "it must be from \(lowerBound) to less than \(upperBound)" }
}
