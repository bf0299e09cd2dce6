import Tensors
import Testing

/// Expects that a function's gradients agree with finite differences.
///
/// Function and gradients are compiled once, in f64. The outputs are multiplied by random numbers
/// and summed; that scalar's derivative along random directions, and along every axis of inputs of
/// at most eight elements, is compared with central differences of fourth order.
///
/// - Parameters:
///   - inputs: where; those of whole numbers or bools are passed and not differentiated.
///   - step: how far the differences reach in inputs of size 1.
///   - tolerance: the greatest difference as a part of the derivative or 1, whichever is larger.
public func expectGradient(
  at inputs: [Numbers], directions: Int = 2, step: Double = 1e-3, tolerance: Double = 1e-7,
  seed: UInt64 = 17, target: Target = Target(), _ what: String = "",
  sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) -> [Tensor]
) throws {
  let floats = inputs.indices.filter { inputs[$0].dtype.isFloat }
  let compiled = try HostFunction(inputs.map(\.type), target: target) { arguments in
    let terms = function(arguments).enumerated().map { i, output in
      let weights = Numbers.random(output.shape.sizes, seed: seed &+ UInt64(i), in: 0.5...1.5)
      return (output * .constant(weights.values, shape: output.shape)).sum()
    }
    let scalar = terms.dropFirst().reduce(terms[0], +)
    return [scalar] + scalar.gradients(for: floats.map { arguments[$0] })
  }
  let results = try compiled(inputs)
  let gradients = Array(results.dropFirst())

  /// The scalar with the inputs moved along a direction.
  func value(_ direction: [[Double]], _ distance: Double) throws -> Double {
    var moved = inputs
    for (place, delta) in zip(floats, direction) {
      for i in delta.indices { moved[place].values[i] += distance * delta[i] }
    }
    return try compiled(moved)[0].values[0]
  }

  func check(_ direction: [[Double]], _ name: String) throws {
    let expected =
      try
      (8 * (value(direction, step) - value(direction, -step))
      - (value(direction, 2 * step) - value(direction, -2 * step))) / (12 * step)
    let actual = zip(gradients, direction).reduce(0) { sum, pair in
      sum + zip(pair.0.values, pair.1).reduce(0) { $0 + $1.0 * $1.1 }
    }
    if abs(actual - expected) <= tolerance * max(1, abs(expected)) { return }
    Issue.record(
      "\(what): the derivative \(name) is \(actual), by finite differences \(expected)",
      sourceLocation: sourceLocation)
  }

  var generator = SeededGenerator(seed)
  for i in 0..<directions {
    try check(
      floats.map { place in
        inputs[place].values.map { _ in Double.random(in: -1...1, using: &generator) }
      }, "along direction \(i)")
  }
  for (i, place) in floats.enumerated() where inputs[place].count <= 8 {
    for j in inputs[place].values.indices {
      var direction = floats.map { inputs[$0].values.map { _ in 0.0 } }
      direction[i][j] = 1
      try check(direction, "by element \(j) of input \(place)")
    }
  }
}
