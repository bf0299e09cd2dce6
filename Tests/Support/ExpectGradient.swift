import Tensors
import Testing

/// Expects that a function's gradients, and its pushforward, agree with finite differences.
///
/// Function and derivatives are compiled once, in f64. The outputs are multiplied by random numbers
/// and summed; that scalar's derivative along random directions, and along every axis of inputs of
/// at most eight elements, is compared with central differences of fourth order. The first of the random
/// directions is that of the pushforward.
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
  var generator = SeededGenerator(seed)
  let random = (0..<directions).map { _ in
    floats.map { place in
      inputs[place].values.map { _ in Double.random(in: -1...1, using: &generator) }
    }
  }
  let compiled = try HostFunction(inputs.map(\.type), target: target) { arguments in
    let terms = function(arguments).enumerated().map { i, output in
      let weights = Numbers.random(output.shape.sizes, seed: seed &+ UInt64(i), in: 0.5...1.5)
      return (output * .constant(weights.values, shape: output.shape)).sum()
    }
    let scalar = terms.dropFirst().reduce(terms[0], +)
    let sources = floats.map { arguments[$0] }
    let tangents = zip(sources, random.first ?? []).map { source, direction in
      Tensor.constant(direction, shape: source.shape).cast(to: source.dtype)
    }
    return [scalar] + scalar.gradients(for: sources)
      + (random.isEmpty ? [] : pushforward(of: [scalar], for: sources, along: tangents))
  }
  let results = try compiled(inputs)
  let gradients = Array(results[1...floats.count])

  /// The scalar with the inputs moved along a direction.
  func value(_ direction: [[Double]], _ distance: Double) throws -> Double {
    var moved = inputs
    for (place, delta) in zip(floats, direction) {
      for i in delta.indices { moved[place].values[i] += distance * delta[i] }
    }
    return try compiled(moved)[0].values[0]
  }

  func check(_ direction: [[Double]], _ name: String, pushed: Double? = nil) throws {
    let expected =
      try
      (8 * (value(direction, step) - value(direction, -step))
      - (value(direction, 2 * step) - value(direction, -2 * step))) / (12 * step)
    let gradient = zip(gradients, direction).reduce(0) { sum, pair in
      sum + zip(pair.0.values, pair.1).reduce(0) { $0 + $1.0 * $1.1 }
    }
    for (way, actual) in [("gradient", gradient), ("pushforward", pushed ?? gradient)]
    where abs(actual - expected) > tolerance * max(1, abs(expected)) {
      Issue.record(
        "\(what): by the \(way) the derivative \(name) is \(actual), by finite differences \(expected)",
        sourceLocation: sourceLocation)
    }
  }

  for (i, direction) in random.enumerated() {
    try check(
      direction, "along direction \(i)", pushed: i == 0 ? results.last!.values[0] : nil)
  }
  for (i, place) in floats.enumerated() where inputs[place].count <= 8 {
    for j in inputs[place].values.indices {
      var direction = floats.map { inputs[$0].values.map { _ in 0.0 } }
      direction[i][j] = 1
      try check(direction, "by element \(j) of input \(place)")
    }
  }
}
