/// A range that the value of a key can be bound to.
public protocol RecipeRange<Bound>: RangeExpression {
  /// What is valid, as messages say it.
  var condition: String { get }
}

extension ClosedRange: RecipeRange {
  /// Both ends.
  public var condition: String { "it must be from \(lowerBound) to \(upperBound)" }
}

extension PartialRangeFrom: RecipeRange {
  /// The least value.
  public var condition: String { "it must be \(lowerBound) or more" }
}

extension Range: RecipeRange {
  /// Both ends, of which the upper one is not valid.
  public var condition: String { "it must be from \(lowerBound) to less than \(upperBound)" }
}
