import Flow
import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct TutorialUNetTests {
  static let config: TutorialUNetConfig = {
    var config = TutorialUNetConfig()
    (config.size, config.channels, config.width, config.features) = (4, 2, 2, 3)
    config.classes = 3
    return config
  }()
  static let weights = Scope.declare { TutorialUNet($0, config) }

  @Test func declaresItsWeights() {
    let expected = [
      "time.input.weight [3, 1]", "time.input.bias [3]",
      "time.output.weight [3, 3]", "time.output.bias [3]",
      "target.input.weight [3, 1]", "target.input.bias [3]",
      "target.output.weight [3, 3]", "target.output.bias [3]",
      "class_embedding.weight [4, 3]",
      "down1.convolution.weight [2, 2, 3, 3]", "down1.convolution.bias [2]",
      "down1.down.weight [2, 2, 4, 4]", "down1.down.bias [2]",
      "down2.convolution.weight [4, 2, 3, 3]", "down2.convolution.bias [4]",
      "down2.down.weight [4, 4, 4, 4]", "down2.down.bias [4]",
      "bottom.weight [8, 4, 3, 3]", "bottom.bias [8]",
      "condition.weight [8, 9]", "condition.bias [8]",
      "up1.up.weight [12, 4, 4, 4]", "up1.up.bias [4]",
      "up1.convolution.weight [4, 4, 3, 3]", "up1.convolution.bias [4]",
      "up2.up.weight [6, 2, 4, 4]", "up2.up.bias [2]",
      "up2.convolution.weight [2, 2, 3, 3]", "up2.convolution.bias [2]",
      "output.weight [2, 2, 3, 3]", "output.bias [2]",
    ]
    #expect(Self.weights.listing == expected)
    // The published network's count with 11 labels of 64 features.
    #expect(Scope.declare { TutorialUNet($0, TutorialUNetConfig()) }.elements == 1_924_545)
  }

  @Test func equalsTheNetworkInLoops() throws {
    let weights = Self.weights.random(.float64)
    let given = Named([
      ("x", Numbers.random([2, 4, 4, 2], seed: 5)), ("t", Numbers([0.9, -0.5])),
      ("tt", Numbers([0.3, -0.25])), ("class", Numbers([3, 1], nil, .int32)),
    ])
    let y = try evaluate(given.merging(weights.prefixed("weights"))) { inputs in
      let network = Scope.bind(inputs.group("weights")) { TutorialUNet($0, Self.config) }
      return Named([
        (
          "y",
          network(
            inputs["x"]!, time: inputs["t"]!, target: inputs["tt"]!,
            condition: inputs.filter { $0 == "class" })
        )
      ])
    }["y"]!
    for row in 0..<2 {
      let expected = LoopUNet(weights: weights)(
        given["x"]!.row(row), time: given["t"]!.values[row], target: given["tt"]!.values[row],
        label: Int(given["class"]!.values[row]))
      expectClose(y.row(row), expected, relative: 1e-10, absolute: 1e-12, "row \(row)")
    }
  }
}

/// The published network for one sample `[1, height, width, channels]`, written as loops.
private struct LoopUNet {
  let weights: Named<Numbers>

  func callAsFunction(_ x: Numbers, time: Double, target: Double, label: Int) -> Numbers {
    let embed = { (name: String, value: Double) in
      linear("\(name).output", linear("\(name).input", [value]).map { max(0, $0) })
    }
    let signal = linear(
      "condition",
      embed("time", time) + embed("target", target)
        + weights["class_embedding.weight"]!.row(label).values)
    let skip1 = convolution("down1.down", relu(convolution("down1.convolution", x)), stride: 2)
    let skip2 = convolution(
      "down2.down", relu(convolution("down2.convolution", relu(skip1))), stride: 2)
    let bottom = convolution("bottom", relu(skip2))
    let low = Numbers(bottom.shape) { bottom[$0] + signal[$0[3]] }
    let up1 = convolution("up1.convolution", relu(transposed("up1.up", join(low, skip2))))
    let up2 = convolution("up2.convolution", relu(transposed("up2.up", relu(join(up1, skip1)))))
    let output = convolution("output", up2)
    return Numbers(x.shape) { x[$0] - output[$0] }
  }

  private func linear(_ name: String, _ x: [Double]) -> [Double] {
    let (weight, bias) = (weights["\(name).weight"]!, weights["\(name).bias"]!)
    return (0..<bias.count).map { o in
      x.indices.reduce(bias[o]) { $0 + weight[o, $1] * x[$1] }
    }
  }

  private func relu(_ x: Numbers) -> Numbers { Numbers(x.values.map { max(0, $0) }, x.shape) }

  private func join(_ a: Numbers, _ b: Numbers) -> Numbers {
    Numbers(Array(a.shape.dropLast()) + [a.shape[3] + b.shape[3]]) { place in
      let channel = place[3]
      return channel < a.shape[3]
        ? a[place] : b[Array(place.dropLast()) + [channel - a.shape[3]]]
    }
  }

  /// A convolution with a border of 1.
  private func convolution(_ name: String, _ x: Numbers, stride: Int = 1) -> Numbers {
    let (kernel, bias) = (weights["\(name).weight"]!, weights["\(name).bias"]!)
    return Numbers([1, x.shape[1] / stride, x.shape[2] / stride, bias.count]) { place in
      Numbers.places(Array(kernel.shape.dropFirst())).reduce(bias[place[3]]) { sum, at in
        let (row, column) = (place[1] * stride + at[1] - 1, place[2] * stride + at[2] - 1)
        return sum + kernel[[place[3]] + at] * x[0, row, column, at[0]]
      }
    }
  }

  /// A transposed convolution with stride 2, a kernel of 4 and a border of 1.
  private func transposed(_ name: String, _ x: Numbers) -> Numbers {
    let (kernel, bias) = (weights["\(name).weight"]!, weights["\(name).bias"]!)
    var y = Numbers([1, 2 * x.shape[1], 2 * x.shape[2], bias.count]) { bias[$0[3]] }
    for from in Numbers.places(x.shape) {
      for at in Numbers.places(Array(kernel.shape.dropFirst())) {
        let (row, column) = (2 * from[1] + at[1] - 1, 2 * from[2] + at[2] - 1)
        guard (0..<y.shape[1]).contains(row), (0..<y.shape[2]).contains(column) else { continue }
        y.values[(row * y.shape[2] + column) * bias.count + at[0]] +=
          x[from] * kernel[[from[3]] + at]
      }
    }
    return y
  }
}
