import Foundation
import Optimizers
import Tensors
import TestSupport
import Testing

@Suite struct OptimizerTests {
  /// Large, so that a step's errors stand out from the weights' rounding.
  static let learningRate = 1.0
  static let weights = Named([
    ("a", Numbers([1, -2, 0.5], nil, .float32)), ("b", Numbers([3], [1, 1], .float32)),
  ])

  /// Gradients that change sign and size from step to step.
  static func gradient(_ step: Int, _ element: Int) -> Double {
    sin(Double(3 * step + 2 * element)) * (element == 1 ? 1e-3 : 1)
  }

  /// Several updates of one optimizer, one program run again and again.
  static func run(_ optimizer: some Optimizer, steps: Int) throws -> [[Double]] {
    let types = weights.mapValues(\.type)
    let stateTypes = optimizer.state(for: types.mapValues { ArraySpec($0) }).types
    var inputTypes = types.prefixed("weights")
    inputTypes.merge(types.prefixed("gradients"))
    inputTypes.merge(stateTypes.prefixed("state"))
    inputTypes["step"] = TensorType([], .float32)
    let function = try HostFunction(inputTypes.values) { tensors in
      let named = Named(zip(inputTypes.names, tensors))
      let result = optimizer.update(
        named.group("weights"), named.group("gradients"), named.group("state"),
        learningRate: .constant(learningRate, .float32), step: named["step"]!)
      #expect(result.state.mapValues(\.type) == stateTypes)
      return result.weights.values + result.state.values
    }
    var current = weights.values
    var state = stateTypes.values.map { Numbers($0.shape.sizes, .float32) { _ in 0 } }
    var history: [[Double]] = []
    for step in 0..<steps {
      let gradients = [
        Numbers((0..<3).map { gradient(step, $0) }, nil, .float32),
        Numbers([gradient(step, 3)], [1, 1], .float32),
      ]
      let results = try function(
        current + gradients + state + [Numbers([Double(step)], [], .float32)])
      current = Array(results.prefix(2))
      state = Array(results.dropFirst(2))
      history.append(current.flatMap(\.values))
    }
    return history
  }

  /// The same updates for one number: from weight, gradient and count of steps from 1.
  static func expected(
    steps: Int, _ makeRule: () -> (Double, Double, Int) -> Double
  ) -> [[Double]] {
    let rules = (0..<4).map { _ in makeRule() }
    var current = weights.values.flatMap(\.values)
    return (0..<steps).map { step in
      current = zip(current, 0..<4).map { rules[$1]($0, gradient(step, $1), step + 1) }
      return current
    }
  }

  static func expectSame(
    _ actual: [[Double]], _ expected: [[Double]], sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for (step, (a, e)) in zip(actual, expected).enumerated() {
      expectClose(
        a, e, relative: 4e-6, absolute: 4e-6, "step \(step)", sourceLocation: sourceLocation)
    }
  }

  @Test(arguments: [(0.9, 0.999, 0.0), (0.9, 0.95, 0.1), (0.0, 0.99, 0.0)])
  func adamW(_ beta1: Double, _ beta2: Double, _ decay: Double) throws {
    let expected = Self.expected(steps: 8) {
      var (m, v) = (0.0, 0.0)
      return { weight, gradient, t in
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient * gradient
        let mean = m / (1 - pow(beta1, Double(t)))
        let square = v / (1 - pow(beta2, Double(t)))
        let decayed = weight * (1 - Self.learningRate * decay)
        return decayed - Self.learningRate * mean / (square.squareRoot() + 1e-8)
      }
    }
    let optimizer = AdamW(beta1: beta1, beta2: beta2, weightDecay: decay)
    Self.expectSame(try Self.run(optimizer, steps: 8), expected)
  }

  /// With β₂ = 0.999 the step is rectified from the sixth on; the length of the average is a small
  /// difference of large numbers.
  @Test(arguments: [(0.999, 0.0), (0.9, 0.02)])
  func rAdam(_ beta2: Double, _ decay: Double) throws {
    let beta1 = 0.9
    let expected = Self.expected(steps: 10) {
      var (m, v) = (0.0, 0.0)
      return { weight, gradient, t in
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient * gradient
        let mean = m / (1 - pow(beta1, Double(t)))
        let decayed = weight * (1 - Self.learningRate * decay)
        let power = pow(beta2, Double(t))
        let longest = 2 / (1 - beta2) - 1
        let length = longest - 2 * Double(t) * power / (1 - power)
        guard length > 5 else { return decayed - Self.learningRate * mean }
        let above = (length - 4) * (length - 2) * longest
        let below = (longest - 4) * (longest - 2) * length
        let adaptive = (1 - power).squareRoot() / (v.squareRoot() + 1e-8)
        return decayed - Self.learningRate * mean * (above / below).squareRoot() * adaptive
      }
    }
    let optimizer = RAdam(beta1: beta1, beta2: beta2, weightDecay: decay)
    Self.expectSame(try Self.run(optimizer, steps: 10), expected)
  }

  @Test(arguments: [(0.0, 0.0), (0.9, 0.0), (0.9, 0.1)])
  func sgd(_ momentum: Double, _ decay: Double) throws {
    let expected = Self.expected(steps: 5) {
      var direction = 0.0
      return { weight, gradient, _ in
        direction = momentum * direction + gradient + decay * weight
        return weight - Self.learningRate * direction
      }
    }
    let optimizer = SGD(momentum: momentum, weightDecay: decay)
    Self.expectSame(try Self.run(optimizer, steps: 5), expected)
    #expect(
      optimizer.state(for: Self.weights.mapValues { ArraySpec($0.type) }).isEmpty == (momentum == 0)
    )
  }

  @Test func statesAreNamedAfterTheWeights() {
    let names = AdamW().state(for: Self.weights.mapValues { ArraySpec($0.type) }).names
    #expect(names == ["first.a", "first.b", "second.a", "second.b"])
    #expect(
      SGD(momentum: 0.9).state(for: Self.weights.mapValues { ArraySpec($0.type) }).names == [
        "first.a", "first.b",
      ])
  }
}
