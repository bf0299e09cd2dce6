/// The feature vectors of a set of pictures.
public struct FeatureSet: Sendable {
  /// The number of features.
  public let width: Int
  /// The vectors one after the other.
  public private(set) var values: [Float] = []

  /// The number of vectors.
  public var count: Int { values.count / width }

  /// Makes an empty set.
  public init(width: Int) { self.width = width }

  /// Makes a set of vectors that lie one after the other.
  public init(_ values: [Float], width: Int) {
    precondition(values.count.isMultiple(of: width), "vectors of \(width) features are not whole")
    (self.values, self.width) = (values, width)
  }

  /// Adds vectors that lie one after the other.
  public mutating func append(_ values: some Collection<Float>) {
    precondition(values.count.isMultiple(of: width), "vectors of \(width) features are not whole")
    self.values += values
  }

  /// The vector of a number.
  public subscript(_ number: Int) -> ArraySlice<Float> {
    values[number * width..<(number + 1) * width]
  }

  /// The vectors of some numbers, in their order.
  public func chosen(_ numbers: some Sequence<Int>) -> FeatureSet {
    FeatureSet(numbers.flatMap { self[$0] }, width: width)
  }

  /// The vectors divided by their norms; those of norm 0 stay.
  var normalized: FeatureSet {
    FeatureSet(
      (0..<count).flatMap { number -> [Float] in
        let norm = self[number].reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
        return norm > 0 ? self[number].map { Float(Double($0) / norm) } : Array(self[number])
      }, width: width)
  }
}
