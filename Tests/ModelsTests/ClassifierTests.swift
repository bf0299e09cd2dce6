import Layers
import Models
import Tensors
import TestSupport
import Testing

@Suite struct ClassifierTests {
  static let config: ClassifierConfig = {
    var config = ClassifierConfig()
    (config.size, config.channels, config.width) = (8, 2, 8)
    (config.features, config.classes) = (5, 3)
    return config
  }()
  static let weights = Scope.declare { Classifier($0, config) }

  @Test func declaresItsWeights() {
    let convolutions = [(2, 8), (8, 16), (16, 16)].enumerated().flatMap { i, sizes in
      let (input, output) = sizes
      return [
        "convolutions.\(i).convolution.weight [\(output), \(input), 3, 3]",
        "convolutions.\(i).convolution.bias [\(output)]",
        "convolutions.\(i).norm.weight [\(output)]", "convolutions.\(i).norm.bias [\(output)]",
      ]
    }
    let ends = [
      "hidden.weight [5, 64]", "hidden.bias [5]", "output.weight [3, 5]", "output.bias [3]",
    ]
    #expect(Self.weights.listing == convolutions + ends)
  }

  @Test func rowsAreIndependent() throws {
    let x = Numbers.random([3, 8, 8, 2], seed: 4, .float32)
    let weights = Self.weights.random().prefixed("weights")
    func run(_ x: Numbers) throws -> Named<Numbers> {
      try evaluate(weights.merging(Named([("x", x)]))) { inputs in
        let result = Scope.bind(inputs.group("weights")) { Classifier($0, Self.config) }(
          inputs["x"]!)
        return Named([("features", result.features), ("logits", result.logits)])
      }
    }
    let (whole, alone) = try (run(x), run(x.row(1)))
    #expect(whole["features"]!.shape == [3, 5])
    #expect(whole["logits"]!.shape == [3, 3])
    #expect(whole["features"]!.row(0) != whole["features"]!.row(1))
    for name in ["features", "logits"] {
      expectClose(alone[name]!, whole[name]!.row(1), relative: 1e-5, absolute: 1e-6, name)
    }
  }

  @Test func logitsAreAnAffineMapOfTheFeatures() throws {
    let weights = Self.weights.random()
    let results = try evaluate(
      weights.prefixed("weights").merging(Named([("x", .random([2, 8, 8, 2], .float32))]))
    ) { inputs in
      let result = Scope.bind(inputs.group("weights")) { Classifier($0, Self.config) }(
        inputs["x"]!)
      return Named([("features", result.features), ("logits", result.logits)])
    }
    let (matrix, bias) = (weights["output.weight"]!, weights["output.bias"]!)
    let features = results["features"]!
    let expected = Numbers([2, 3], .float32) { place in
      (0..<5).reduce(bias[place[1]]) { $0 + matrix[place[1], $1] * features[place[0], $1] }
    }
    expectClose(results["logits"]!, expected, relative: 1e-5, absolute: 1e-6)
  }
}
