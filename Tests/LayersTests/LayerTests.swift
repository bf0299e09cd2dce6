import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@Suite struct LayerTests {
  /// A layer on random weights, in f64, with its inputs; the result and the weights by name.
  static func run(
    _ inputs: [Numbers], seed: UInt64 = 5, _ apply: @escaping (Scope, [Tensor]) -> Tensor
  ) throws -> (result: Numbers, weights: Named<Numbers>) {
    let placeholders = inputs.map { Tensor.placeholder($0.type) }
    let declared = Scope.declare { apply($0, placeholders) }
    let weights = Named(
      declared.pairs.enumerated().map { i, pair in
        (pair.name, Numbers.random(pair.value.shape.sizes, seed: seed + UInt64(i)))
      })
    let result = try evaluate(weights.values + inputs) { tensors in
      let named = Named(zip(weights.names, tensors))
      return [Scope.bind(named) { apply($0, Array(tensors.dropFirst(weights.count))) }]
    }
    return (result[0], weights)
  }

  @Test func linear() throws {
    let x = Numbers.random([2, 2, 3])
    let (y, weights) = try Self.run([x]) { $0.linear("map", 3, 4)($1[0]) }
    let (w, b) = (weights["map.weight"]!, weights["map.bias"]!)
    expectClose(
      y,
      Numbers([2, 2, 4]) { place in
        (0..<3).reduce(b[place[2]]) { $0 + x[place[0], place[1], $1] * w[place[2], $1] }
      })
    let (_, plain) = try Self.run([x]) { $0.linear("map", 3, 4, bias: false)($1[0]) }
    #expect(plain.names == ["map.weight"])
  }

  @Test func weightsAreCastToTheInput() {
    let weights = Named([
      ("map.weight", Tensor.zeros([4, 3], .float32)), ("map.bias", .zeros([4], .float32)),
    ])
    #expect(Scope(weights).linear("map", 3, 4)(.zeros([2, 3], .bfloat16)).dtype == .bfloat16)
  }

  @Test func embedding() throws {
    let (y, weights) = try Self.run([Numbers([2, 0, 2, 1], [2, 2], .int32)]) {
      Embedding($0, count: 3, width: 5)($1[0])
    }
    let rows = [2, 0, 2, 1]
    expectClose(y, Numbers([2, 2, 5]) { weights["weight"]![rows[$0[0] * 2 + $0[1]], $0[2]] })
  }

  /// Kernels are stored as PyTorch stores them: out, in, height, width.
  @Test func convolution() throws {
    let x = Numbers.random([1, 5, 4, 2])
    let (y, weights) = try Self.run([x]) {
      Convolution2D($0, 2, 3, kernel: 3, stride: 2, padding: 1)($1[0])
    }
    let (w, b) = (weights["weight"]!, weights["bias"]!)
    #expect(w.shape == [3, 2, 3, 3])
    expectClose(
      y,
      Numbers([1, 3, 2, 3]) { place in
        Numbers.places([2, 3, 3]).reduce(b[place[3]]) { sum, tap in
          let (i, j) = (place[1] * 2 + tap[1] - 1, place[2] * 2 + tap[2] - 1)
          return sum + x[0, i, j, tap[0]] * w[[place[3]] + tap]
        }
      })
  }

  /// Kernels are stored as PyTorch stores them: in, out, height, width.
  @Test func transposedConvolution() throws {
    let x = Numbers.random([1, 2, 3, 2])
    let (y, weights) = try Self.run([x]) {
      TransposedConvolution2D($0, 2, 3, kernel: 4, stride: 2, padding: 1)($1[0])
    }
    let (w, b) = (weights["weight"]!, weights["bias"]!)
    #expect(w.shape == [2, 3, 4, 4])
    var expected = Numbers([1, 4, 6, 3]) { b[$0[3]] }
    for place in Numbers.places(x.shape) {
      for tap in Numbers.places([3, 4, 4]) {
        let (i, j) = (place[1] * 2 + tap[1] - 1, place[2] * 2 + tap[2] - 1)
        guard (0..<4).contains(i), (0..<6).contains(j) else { continue }
        expected.values[(i * 6 + j) * 3 + tap[0]] += x[place] * w[[place[3]] + tap]
      }
    }
    expectClose(y, expected)
  }

  @Test func norms() throws {
    let x = Numbers.random([2, 4])
    let (layer, layerWeights) = try Self.run([x]) { LayerNorm($0, 4, epsilon: 1e-3)($1[0]) }
    let (w, b) = (layerWeights["weight"]!, layerWeights["bias"]!)
    let (rms, rmsWeights) = try Self.run([x]) { RMSNorm($0, 4, epsilon: 1e-3)($1[0]) }
    let mean = (0..<2).map { i in (0..<4).reduce(0) { $0 + x[i, $1] } / 4 }
    let square = (0..<2).map { i in (0..<4).reduce(0) { $0 + x[i, $1] * x[i, $1] } / 4 }
    expectClose(
      layer,
      Numbers([2, 4]) { place in
        let i = place[0]
        let deviation = (square[i] - mean[i] * mean[i] + 1e-3).squareRoot()
        return (x[place] - mean[i]) / deviation * w[place[1]] + b[place[1]]
      })
    expectClose(
      rms,
      Numbers([2, 4]) { place in
        x[place] / (square[place[0]] + 1e-3).squareRoot() * rmsWeights["weight"]![place[1]]
      })
    #expect(Scope.declare { LayerNorm($0, 4, affine: false) }.isEmpty)
    let (centered, centeredWeights) = try Self.run([x]) {
      ZeroCenteredRMSNorm($0, 4, epsilon: 1e-3)($1[0])
    }
    expectClose(
      centered,
      Numbers([2, 4]) { place in
        x[place] / (square[place[0]] + 1e-3).squareRoot()
          * (1 + centeredWeights["weight"]![place[1]])
      })
  }

  /// With two channels in each of two groups on one pixel, a group is ±1 up to ε.
  @Test func groupNorm() throws {
    let x = Numbers([1, 3, 7, 5], [1, 1, 1, 4])
    let (y, weights) = try Self.run([x]) { GroupNorm($0, groups: 2, channels: 4)($1[0]) }
    let signs = [-1.0, 1, 1, -1]
    expectClose(
      y.values, (0..<4).map { signs[$0] * weights["weight"]![$0] + weights["bias"]![$0] },
      absolute: 1e-4)
  }

  /// What is added to an image everywhere comes out as the layer's difference says.
  @Test(arguments: [(4, 2, 1), (3, 1, 1), (5, 3, 2), (2, 3, 0)])
  func differenceOfTransposedConvolutions(kernel: Int, stride: Int, padding: Int) throws {
    let (x, shift) = (Numbers.random([2, 3, 4, 5]), Numbers.random([2, 2], seed: 3))
    let (found, _) = try Self.run([x, shift]) { scope, inputs in
      let layer = TransposedConvolution2D(
        scope, 5, 3, kernel: kernel, stride: stride, padding: padding)
      let added = Tensor.concatenate([inputs[1], .zeros([2, 3], .float64)], axis: 1)
      let whole = layer(inputs[0] + added.expanded([1, 2])) - layer(inputs[0])
      return whole - layer.difference(inputs[1], size: (3, 4))
    }
    expectClose(found, Numbers(found.shape) { _ in 0 }, absolute: 1e-12)
  }

  @Test func perceptron() throws {
    let x = Numbers.random([2, 3])
    let (y, weights) = try Self.run([x]) { MLP($0, 3, hidden: 4, 2) { $0.tanh() }($1[0]) }
    #expect(weights.names == ["input.weight", "input.bias", "output.weight", "output.bias"])
    let hidden = Numbers([2, 4]) { place in
      tanh(
        (0..<3).reduce(weights["input.bias"]![place[1]]) {
          $0 + x[place[0], $1] * weights["input.weight"]![place[1], $1]
        })
    }
    expectClose(
      y,
      Numbers([2, 2]) { place in
        (0..<4).reduce(weights["output.bias"]![place[1]]) {
          $0 + hidden[place[0], $1] * weights["output.weight"]![place[1], $1]
        }
      })
  }

  /// Features are head by head.
  @Test func selfAttention() throws {
    let x = Numbers.random([1, 3, 4])
    let (y, weights) = try Self.run([x]) { SelfAttention($0, width: 4, heads: 2)($1[0]) }
    let linear = { (name: String, x: Numbers) -> Numbers in
      let (w, b) = (weights["\(name).weight"]!.values, weights["\(name).bias"]!.values)
      return Numbers([1, 3, b.count]) { place in
        (0..<4).reduce(b[place[2]]) { $0 + x[0, place[1], $1] * w[4 * place[2] + $1] }
      }
    }
    let (queries, keys, values) = (linear("to_q", x), linear("to_k", x), linear("to_v", x))
    let mixed = Numbers([1, 3, 4]) { place in
      let start = place[2] / 2 * 2
      let scores = (0..<3).map { token -> Double in
        let products = (0..<2).map { queries[0, place[1], start + $0] * keys[0, token, start + $0] }
        return exp((products[0] + products[1]) / 2.0.squareRoot())
      }
      let sum = scores.reduce(0, +)
      return (0..<3).reduce(0) { $0 + scores[$1] / sum * values[0, $1, place[2]] }
    }
    expectClose(y, linear("to_out.0", mixed))
  }

  @Test("diffusers' features of times: the last frequency, and a factor of angles")
  func publishedFeaturesOfTimes() throws {
    let times = Numbers([0, 1, -0.75, 2.5], nil, .float32)
    for (shift, scale) in [(0, 1.0), (1, 1), (0, 3)] {
      let result = try evaluate([times]) {
        [$0[0].publishedSinusoidal(8, shift: shift, scale: scale)]
      }[0]
      let expected = times.values.flatMap { time -> [Double] in
        let angles = (0..<4).map { k in
          scale * time * exp(-log(10_000.0) * Double(k) / Double(4 - shift))
        }
        return angles.map { cos($0) } + angles.map { sin($0) }
      }
      expectClose(result.values, expected, absolute: 2e-6)
    }
  }

  @Test(arguments: [10_000.0, 100]) func sinusoidalFeatures(_ period: Double) throws {
    let times = Numbers([0, 1, -0.37, 999])
    let result = try evaluate([times]) { [$0[0].sinusoidal(8, period: period)] }[0]
    #expect(result.dtype == .float32)
    let expected = Numbers([4, 8]) { place in
      let angle = times[place[0]] * exp(-log(period) * Double(place[1] % 4) / 4)
      return place[1] < 4 ? cos(angle) : sin(angle)
    }
    // At 999 radians single precision leaves four digits.
    expectClose(result, expected, absolute: 2e-4)
  }

  @Test func positionFeatures() throws {
    let result = try evaluate { _ in [.positions(height: 3, width: 2, features: 8)] }[0]
    let expected = Numbers([6, 8]) { place in
      let (row, column) = (place[0] / 2, place[0] % 2)
      let axis = Double(place[1] < 4 ? column : row)
      let angle = axis * pow(10_000, -Double(place[1] % 2) / 2)
      return place[1] % 4 < 2 ? sin(angle) : cos(angle)
    }
    expectClose(result, expected, absolute: 1e-6)
  }
}
