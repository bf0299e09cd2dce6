import Flow
import Tensors
import TestSupport
import Testing

@Suite struct TransportTests {
  static let data = Numbers.random([4, 2, 3], seed: 1)
  static let noise = Numbers.random([4, 2, 3], seed: 2)

  @Test("A true velocity leads to both ends of the path, from either branch", arguments: [1.0, -1])
  func ends(sign: Double) throws {
    let time = Numbers([0, 0.25, 0.7, 1])
    let results = try evaluate([Self.data, Self.noise, time]) { inputs in
      let point = interpolate(data: inputs[0], noise: inputs[1], time: inputs[2])
      let result = Fixed(velocity: inputs[1] - inputs[0]).evaluate(
        point, time: inputs[2] * sign, target: inputs[2], condition: Named())
      return [result.data, result.noise, point]
    }
    expectClose(results[0], Self.data, absolute: 1e-12)
    expectClose(results[1], Self.noise, absolute: 1e-12)
    expectClose(results[2].row(0), Self.data.row(0))
    expectClose(results[2].row(3), Self.noise.row(3))
  }

  @Test("Guidance is F∅ + (1 + scale)·(F − F∅)", arguments: [0, 0.5, 4])
  func guidance(scale: Double) throws {
    let given = Numbers([2, 3], [2, 1])
    let none = Numbers([-1, 0.5], [2, 1])
    let x = Numbers([10, 20], [2, 1])
    let result = try evaluate([x, given, none]) { inputs in
      let guided = GuidedModel(
        Conditioned(), unconditional: Named([("c", inputs[2])]), scale: scale)
      let time = Tensor.constant(1, .float64, shape: [2])
      return [guided(inputs[0], time: time, target: time, condition: Named([("c", inputs[1])]))]
    }[0]
    let expected = (0..<2).map { i in
      let (with, without) = (10 * Double(i + 1) * given[i, 0], 10 * Double(i + 1) * none[i, 0])
      return without + (1 + scale) * (with - without)
    }
    expectClose(result.values, expected)
  }
}

/// Always the same velocity.
private struct Fixed: VelocityModel {
  let velocity: Tensor
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor { velocity }
}

/// The sample times its condition.
private struct Conditioned: VelocityModel {
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor { x * condition["c"]! }
}
