import Foundation
import Tensors
import TestSupport
import Testing

@testable import Optimizers

/// Moments in 8 bits.
@Suite struct BlockwiseMomentsTests {
  /// Numbers of many magnitudes.
  private func numbers(_ shape: [Int], isSigned: Bool) -> Numbers {
    let values = (0..<shape.reduce(1, *)).map { place in
      let size = Double(Float(exp(-16 * Double((place &* 7919) % 1009) / 1009)))
      return place % 5 == 0 ? 0 : size * (isSigned && place % 3 == 0 ? -1 : 1)
    }
    return Numbers(values, shape, .float32)
  }

  @Test(arguments: [[64, 64], [5000], [4096, 1], [3, 3, 700], [2, 3000], [16, 300]])
  func statesAreEightBitsWithScales(shape: [Int]) {
    let spec = ArraySpec(TensorType(Shape(shape), .float32))
    let state = BlockwiseMoments(AdamW()).state(for: Named([("a", spec)]))
    #expect(state.names == ["first.a", "scale.first.a", "second.a", "scale.second.a"])
    #expect(state["first.a"]?.type == TensorType(Shape(shape), .int8))
    #expect(state["second.a"]?.type == TensorType(Shape(shape), .uint8))
    let bytes = state.values.reduce(0) { $0 + $1.type.byteCount }
    #expect(Double(bytes) < 2.1 * Double(spec.type.shape.count))
  }

  @Test func smallArraysStayInFloat32() {
    let specs = Named([("a", ArraySpec(TensorType([4095], .float32)))])
    let base = AdamW().state(for: specs)
    #expect(BlockwiseMoments(AdamW()).state(for: specs) == base)
  }

  @Test func scalesAreShardedLikeTheRows() {
    let spec = ArraySpec(TensorType([8, 1024], .float32), Sharding([.embed, nil]))
    let state = BlockwiseMoments(SGD(momentum: 0.9)).state(for: Named([("a", spec)]))
    #expect(state["scale.first.a"]?.type.shape == [8, 4])
    #expect(state["scale.first.a"]?.sharding == Sharding([.embed]))
  }

  /// Each number is rounded to one of its two neighbors, and on average to itself.
  @Test(arguments: [true, false], [[64, 64], [4, 1100], [40, 120]])
  func roundingIsUnbiased(isSigned: Bool, shape: [Int]) throws {
    let levels = isSigned ? 127.0 : 255
    let x = numbers(shape, isSigned: isSigned)
    let draws = 400
    let type = TensorType(Shape(shape), .float32)
    let function = try HostFunction([type, TensorType([], .float32)]) { tensors in
      let layout = BlockLayout(type.shape)!
      let key = Key(seed: 1).folded(tensors[1].cast(to: .int32))
      let (codes, scales) = layout.encoded(
        tensors[0], levels: levels, isSigned: isSigned, key)
      return [layout.decoded(codes, scales, levels: levels)]
    }
    var sums = [Double](repeating: 0, count: x.values.count)
    var (far, wrong) = (0, 0)
    // The codes lie at fourth powers: neighbors of large numbers are 4 / levels apart.
    let gaps = x.values.map { value in
      let code = pow(abs(value), 0.25) * levels
      return pow((code + 1) / levels, 4) - pow(max(0, code - 1) / levels, 4)
    }
    for draw in 0..<draws {
      let y = try function([x, Numbers([Double(draw)], [], .float32)])[0].values
      for (place, pair) in zip(x.values, y).enumerated() {
        sums[place] += pair.1
        if abs(pair.0 - pair.1) > gaps[place] { far += 1 }
        if pair.0 * pair.1 < 0 || !isSigned && (pair.0 == 0) != (pair.1 == 0) { wrong += 1 }
      }
    }
    #expect(far == 0 && wrong == 0)
    let (mean, exact) = (sums.reduce(0, +) / Double(draws), x.values.reduce(0, +))
    #expect(abs(mean - exact) <= 2e-3 * x.values.reduce(0) { $0 + abs($1) })
    let worst = zip(sums, x.values).filter { abs($1) > 1e-3 }.map { sum, value in
      abs(sum / Double(draws) / value - 1)
    }.max()!
    #expect(worst < 0.05)
  }

  /// A least-squares problem that AdamW solves: with moments in 8 bits it does as well.
  @Test(arguments: [0.999, 0.95]) func aRunStaysCloseToFloat32(beta2: Double) throws {
    let shape = [64, 128]
    let target = Numbers((0..<8192).map { sin(Double($0)) }, shape, .float32)
    func losses(_ optimizer: some Optimizer) throws -> [Double] {
      let weights = Named([("w", target.type)])
      let stateTypes = optimizer.state(for: weights.mapValues { ArraySpec($0) }).types
      let function = try HostFunction(
        [target.type, target.type] + stateTypes.values + [TensorType([], .float32)]
      ) { tensors in
        let state = Named(zip(stateTypes.names, tensors[2...]))
        // Rows of very different curvature.
        let scale = (Tensor.iota([64, 1], axis: 0, .float32) * -0.1).exp()
        let difference = (tensors[0] - tensors[1]) * scale
        let result = optimizer.update(
          Named([("w", tensors[0])]), Named([("w", difference * scale)]), state,
          learningRate: .constant(0.02, .float32), step: tensors.last!)
        return [result.weights["w"]!] + result.state.values + [difference.squared().mean()]
      }
      var current = [Numbers(shape, .float32) { _ in 0.0 }]
      var state = stateTypes.values.map { Numbers($0.shape.sizes, $0.dtype) { _ in 0 } }
      var losses: [Double] = []
      for step in 0..<120 {
        let results = try function(
          current + [target] + state + [Numbers([Double(step)], [], .float32)])
        current = [results[0]]
        state = Array(results[1..<(1 + state.count)])
        losses.append(results.last!.values[0])
      }
      return losses
    }
    let base = AdamW(beta2: beta2)
    let (wide, narrow) = (try losses(base), try losses(BlockwiseMoments(base)))
    #expect(wide.last! < 0.1 * wide[0])
    for (a, b) in zip(wide, narrow) { #expect(abs(a - b) <= 0.1 * a + 1e-4 * wide[0]) }
  }
}
