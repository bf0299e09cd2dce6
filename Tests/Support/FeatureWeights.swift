import Foundation
import Layers
import Models
import Tensors
import Weights

/// Weights of EfficientNet-Lite0 that need no download.
public enum FeatureWeights {
  /// How weights are made.
  public enum Kind: Sendable {
    /// By waves, as the published code was given them; pictures have nearly the same features.
    case waves
    /// At random, so that pictures differ in their features.
    case random
  }

  /// Writes a file.
  ///
  /// - Throws: the errors of writing.
  public static func write(_ kind: Kind = .random, to path: String) throws {
    var random = SeededGenerator(1)
    let specs = Scope.declare { EfficientNetLite($0) }
    var types = Named<TensorType>()
    var values: [String: [Float]] = [:]
    for (number, name) in specs.names.sorted().enumerated() {
      let shape = specs[name]!.shape
      types[name] = TensorType(shape, .float32)
      values[name] = Self.values(name, shape) { index in
        kind == .waves
          ? sin(Double(index) * 0.7 + Double(number))
          : Double.random(in: -1.4...1.4, using: &random)
      }
    }
    try WeightFiles.write(types, to: path) { name in values[name]!.withUnsafeBytes { Array($0) } }
  }

  private static func values(
    _ name: String, _ shape: Shape, _ wave: (Int) -> Double
  ) -> [Float] {
    let isMatrix = shape.rank > 1
    let fan = isMatrix ? shape.sizes.dropFirst().reduce(1, *) : 1
    return (0..<shape.count).map { index -> Float in
      let wave = wave(index)
      if name.hasSuffix("running_var") { return Float(1 + 0.5 * wave) }
      if name.contains("_bn") {
        return Float(name.hasSuffix("weight") ? 1 + 0.2 * wave : 0.1 * wave)
      }
      return Float(isMatrix ? wave * (3 / Double(fan)).squareRoot() : 0.1 * wave)
    }
  }
}
