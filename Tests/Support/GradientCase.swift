import Tensors
import Testing

/// A function and the place where its gradients are compared with finite differences: one row of a
/// table.
public struct GradientCase: Sendable, CustomTestStringConvertible {
  /// What the row is called.
  public let testDescription: String
  /// Where the function is differentiated.
  public let inputs: [Numbers]
  /// The function.
  public let function: @Sendable ([Tensor]) -> [Tensor]

  /// Makes a row at given numbers.
  public init(
    _ name: String, _ inputs: [Numbers], _ function: @escaping @Sendable ([Tensor]) -> [Tensor]
  ) {
    testDescription = name
    self.inputs = inputs
    self.function = function
  }

  /// Makes a row at random numbers of these shapes.
  public init(
    _ name: String, _ shapes: [Int]..., in range: ClosedRange<Double> = -1...1,
    function: @escaping @Sendable ([Tensor]) -> [Tensor]
  ) {
    self.init(
      name,
      shapes.enumerated().map { .random($1, seed: UInt64(31 * $0 + 5), in: range) }, function)
  }

  /// Compares.
  public func check(sourceLocation: SourceLocation = #_sourceLocation) throws {
    try expectGradient(at: inputs, testDescription, sourceLocation: sourceLocation, function)
  }
}
