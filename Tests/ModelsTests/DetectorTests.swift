import Layers
import TestSupport
import Tensors
import Testing

@testable import Models

@Suite struct DetectorTests {
  static let config: DetectorConfig = {
    var config = DetectorConfig()
    (config.size, config.width, config.depth) = (16, 16, 1)
    (config.classes, config.colors, config.objects) = (3, 2, 2)
    return config
  }()

  /// Two objects and none: class, color, center, size.
  static let objects = Numbers(
    [
      1, 0, 0.375, 0.625, 0.5, 0.25, 2, -1, 0.9, 0.1, 0.2, 0.2,
      0, 1, 0.5, 0.5, 0.25, 0.25, -1, -1, -1, -1, -1, -1,
    ], [2, 2, 6], .float32)

  @Test func declaresItsWeights() {
    let weights = Scope.declare { Detector($0, DetectorConfig()) }
    let count = weights.values.reduce(0) { $0 + $1.shape.count }
    #expect((300_000...1_000_000).contains(count))
    #expect(weights["output.weight"]?.shape == [44, 128, 1, 1])
  }

  @Test func cellsHaveLogitsAndBoxes() throws {
    let weights = Scope.declare { Detector($0, Self.config) }.random()
    let x = Numbers.random([2, 16, 16, 3], seed: 2, .float32)
    func run(_ x: Numbers) throws -> Named<Numbers> {
      try evaluate(weights.prefixed("weights").merging(Named([("x", x)]))) { inputs in
        let output = Scope.bind(inputs.group("weights")) { Detector($0, Self.config) }(
          inputs["x"]!)
        return Named([
          ("centers", output.centers), ("boxes", output.boxes), ("colors", output.colors),
        ])
      }
    }
    let (all, alone) = (try run(x), try run(x.row(1)))
    #expect(all["centers"]!.shape == [2, 4, 4, 3] && all["boxes"]!.shape == [2, 4, 4, 4])
    #expect(all["colors"]!.shape == [2, 4, 4, 2])
    expectClose(alone["centers"]!, all["centers"]!.row(1), relative: 1e-4, absolute: 1e-5)
  }

  /// The metrics of an output that is right to a degree.
  private func metrics(_ sureness: Double, boxes error: Double = 0) throws -> Named<Numbers> {
    let objects = Self.objects
    // Cells of the centers: (row, column) (2, 1), (0, 3) and (2, 2).
    let places: [(picture: Int, row: Int, column: Int, object: Int)] = [
      (0, 2, 1, 0), (0, 0, 3, 1), (1, 2, 2, 0),
    ]
    var centers = Numbers([2, 4, 4, 3], .float32) { _ in -sureness }
    var boxes = Numbers([2, 4, 4, 4], .float32) { _ in 0 }
    var colors = Numbers([2, 4, 4, 2], .float32) { _ in 0 }
    for place in places {
      let values = (0..<6).map { objects[place.picture, place.object, $0] }
      let cell = (place.picture * 4 + place.row) * 4 + place.column
      centers.values[cell * 3 + Int(values[0])] = sureness
      let exact = [
        values[2] * 4 - Double(place.column) - 0.5, values[3] * 4 - Double(place.row) - 0.5,
        values[4] * 4, values[5] * 4,
      ]
      for side in 0..<4 { boxes.values[cell * 4 + side] = exact[side] + error }
      if values[1] >= 0 { colors.values[cell * 2 + Int(values[1])] = sureness }
    }
    return try evaluate(
      Named([
        ("centers", centers), ("boxes", boxes), ("colors", colors), ("objects", objects),
      ])
    ) { inputs in
      let output = Detector.Output(
        centers: inputs["centers"]!, boxes: inputs["boxes"]!, colors: inputs["colors"]!)
      return DetectorTargets(inputs["objects"]!, like: output).metrics(output)
    }
  }

  @Test func lossIsSmallWhereAllIsRight() throws {
    let right = try metrics(12)
    #expect(right["loss"]!.values[0] < 1e-3 && right["accuracy"]!.values[0] == 1)
    let unsure = try metrics(0.5)
    #expect(unsure["loss"]!.values[0] > 1)
    let wrong = try metrics(-3)
    #expect(wrong["loss"]!.values[0] > unsure["loss"]!.values[0])
    #expect(wrong["accuracy"]!.values[0] == 0)
    // Four sides of which two weigh 0.2, of each object.
    let moved = try metrics(12, boxes: 0.5)
    #expect(abs(moved["boxes"]!.values[0] - 0.5 * 2.4) < 1e-4)
    // Two of three objects have a color.
    let even = try metrics(0)
    #expect(abs(even["colors"]!.values[0] - 0.693147 * 2 / 3) < 1e-4)
  }

  @Test func gradientsAreFiniteWithoutObjects() throws {
    let weights = Scope.declare { Detector($0, Self.config) }.random()
    let none = Numbers([1, 2, 6], .float32) { _ in -1 }
    let x = Numbers.random([1, 16, 16, 3], seed: 5, .float32)
    let inputs = weights.prefixed("weights").merging(Named([("sample", x), ("objects", none)]))
    let gradients = try evaluate(inputs) { inputs in
      let weights = inputs.group("weights")
      let loss = Self.config.metrics(weights, inputs)["loss"]!
      return Named([("loss", loss)]).merging(loss.gradients(for: weights))
    }
    #expect(gradients.values.allSatisfy { $0.values.allSatisfy(\.isFinite) })
    #expect(gradients["output.weight"]!.values.contains { $0 != 0 })
  }
}
