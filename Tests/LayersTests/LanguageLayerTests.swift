import Foundation
import Layers
import Tensors
import TestSupport
import Testing

/// The layers of language models.
@Suite struct LanguageLayerTests {
  @Test(arguments: Activation.allCases) func activations(_ activation: Activation) throws {
    let x = Numbers([-3, -0.5, 0, 0.25, 2])
    let result = try evaluate([x]) { [activation($0[0])] }[0]
    func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
    let expected = x.values.map { x -> Double in
      switch activation {
      case .gelu, .geluPython: x / 2 * (1 + erf(x / 2.0.squareRoot()))
      case .geluNew, .geluTanh, .geluPythonTanh, .geluFast, .geluAccurate:
        x / 2 * (1 + tanh((2 / Double.pi).squareRoot() * (x + 0.044715 * x * x * x)))
      case .quickGELU: x * sigmoid(1.702 * x)
      case .relu: max(x, 0)
      case .relu2: max(x, 0) * max(x, 0)
      case .silu, .swish: x * sigmoid(x)
      case .sigmoid: sigmoid(x)
      case .tanh: tanh(x)
      case .linear: x
      }
    }
    expectClose(result.values, expected)
  }

  @Test func gatedMLP() throws {
    let x = Numbers.random([2, 2, 3])
    let (y, weights) = try LayerTests.run([x]) {
      GatedMLP($0, 3, hidden: 4, activation: .relu)($1[0])
    }
    #expect(weights.names == ["gate_proj.weight", "up_proj.weight", "down_proj.weight"])
    let biased = Scope.declare { GatedMLP($0, 3, hidden: 4, bias: true, activation: .relu) }
    #expect(
      biased.names.filter { $0.hasSuffix("bias") } == [
        "gate_proj.bias", "up_proj.bias", "down_proj.bias",
      ])
    func map(_ name: String, _ row: [Double]) -> [Double] {
      let w = weights["\(name)_proj.weight"]!
      return (0..<w.shape[0]).map { o in row.indices.reduce(0) { $0 + row[$1] * w[o, $1] } }
    }
    let rows = (0..<4).flatMap { i -> [Double] in
      let row = Array(x.values[3 * i..<3 * i + 3])
      return map("down", zip(map("gate", row), map("up", row)).map { max($0, 0) * $1 })
    }
    expectClose(y, Numbers(rows, [2, 2, 3]))
  }

  /// Each head of keys and values serves as many heads of queries: as if it were repeated.
  @Test(arguments: [1, 2, 4], [false, true]) func groupedAttention(
    _ keyHeads: Int, _ normed: Bool
  ) throws {
    let (x, angles) = (Numbers.random([2, 5, 3]), Numbers.random([5, 1], seed: 7))
    let build = { (scope: Scope) in
      GroupedAttention(
        scope, width: 3, heads: .init(4, keys: keyHeads, width: 2), bias: true,
        normEpsilon: normed ? 1e-3 : nil)
    }
    let (y, weights) = try LayerTests.run([x, angles]) {
      build($0)(
        $1[0], AttentionOptions(mask: .causal), rotary: Rotary(angles: $1[1], layout: .halfSplit))
    }
    #expect(weights.names.contains("q_norm.weight") == normed)
    #expect(weights["k_proj.weight"]!.shape == [2 * keyHeads, 3])
    #expect(weights["o_proj.weight"]!.shape == [3, 8])
    let expected = try evaluate([x, angles] + weights.values) { tensors in
      let named = Named(zip(weights.names, tensors.dropFirst(2)))
      let rotary = Rotary(angles: tensors[1], layout: .halfSplit)
      func heads(_ name: String, _ count: Int) -> Tensor {
        (tensors[0].matmul(named["\(name)_proj.weight"]!.swapAxes()) + named["\(name)_proj.bias"]!)
          .reshape([2, 5, count, 2])
      }
      func turned(_ name: String, _ x: Tensor) -> Tensor {
        let norm = named["\(name)_norm.weight"]
        return rotary(norm.map { x.rmsNormalized(epsilon: 1e-3) * $0 } ?? x)
      }
      func repeated(_ x: Tensor) -> Tensor {
        x.expanded([3]).broadcast(to: [2, 5, keyHeads, 4 / keyHeads, 2]).reshape([2, 5, 4, 2])
      }
      let mixed = turned("q", heads("q", 4)).attention(
        keys: repeated(turned("k", heads("k", keyHeads))), values: repeated(heads("v", keyHeads)),
        AttentionOptions(mask: .causal))
      return [
        mixed.reshape([2, 5, 8]).matmul(named["o_proj.weight"]!.swapAxes())
          + named["o_proj.bias"]!
      ]
    }[0]
    expectClose(y, expected, relative: 1e-5, absolute: 1e-6)
  }

  /// Windows that differ by layer, as values, against each layer's own options.
  @Test(arguments: StackExecution.allCases) func windowsOfLayers(_ execution: StackExecution) throws
  {
    let all: [Int?] = [nil, 2, 9, 1]
    let windows = LayerWindows(all, tokens: 6)
    #expect(windows.perLayer.count == 1)
    let inputs = [Numbers.random([2, 6, 3, 2]), .random([4, 2], seed: 3)]
    let results = try evaluate(inputs) { tensors in
      let stack = Stack(
        Scope(Named([("layers.*.weight", tensors[1])])) / "layers", count: 4, execution: execution
      ) { $0.weight("weight", [2], .ones) }
      let options = AttentionOptions(mask: .causal)
      let outputs = stack.outputs([tensors[0]], perLayer: windows.perLayer, after: [1]) {
        weight, x, own in
        [(x[0] * weight).attention(keys: x[0], values: x[0], windows.applied(to: options, own))]
      }
      var (x, kept) = (tensors[0], tensors[0])
      for (i, window) in all.enumerated() {
        let own = AttentionOptions(mask: .causal, window: window)
        x = (x * tensors[1][i]).attention(keys: x, values: x, own)
        if i == 1 { kept = x }
      }
      let found = [outputs.last[0], outputs.chosen[0][0]]
      let both = [found, [x, kept]]
      let losses = both.map { $0[0].squared().sum() + $0[1].sum() }
      return both.flatMap(\.self) + losses.flatMap { $0.gradients(for: tensors) }
    }
    for (found, wanted) in [(0, 2), (1, 3), (4, 6), (5, 7)] {
      expectClose(results[found], results[wanted], relative: 1e-9, absolute: 1e-9)
    }
  }

  /// Windows that make no difference cost nothing.
  @Test func windowsThatAreLongEnoughAreNone() {
    let long = LayerWindows([nil, 6, 7], tokens: 6)
    #expect(long.perLayer.isEmpty)
    #expect(long.applied(to: AttentionOptions(), []).window == nil)
    let equal = LayerWindows([3, 3], tokens: 6)
    #expect(equal.perLayer.isEmpty && equal.applied(to: AttentionOptions(), []).window == 3)
  }
}
