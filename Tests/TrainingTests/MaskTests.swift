import Datasets
import Flow
import Foundation
import Models
import Pictures
import Pipelines
import Recipe
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// Masks of pictures, from files to the loss.
@Suite(.serialized) struct MaskTests {
  private let folder: TemporaryFolder
  private var data: String { "\(folder.path)/data" }

  init() throws {
    folder = try TemporaryFolder()
    try BertFolder.write("\(folder.path)/bert")
    try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
    for number in 0..<4 {
      try gray(number).write(to: "\(data)/p\(number).png")
      try Data("a red fox".utf8).write(to: URL(filePath: "\(data)/p\(number).txt"))
    }
  }

  private func gray(_ number: Int, _ scale: Int = 1) -> Picture {
    Picture(
      width: 24 / scale, height: 18 / scale, channels: 1,
      values: (0..<24 * 18 / scale / scale).map { UInt8(truncatingIfNeeded: $0 * (number + 3)) })
  }

  private func recipe(_ output: String, _ settings: [String] = []) throws -> TrainingRecipe {
    let yaml = """
      model: {kind: text-dit, size: 16, width: 16, depth: 1, heads: 2, text_width: 12}
      encoders: \(folder.path)/bert
      objective: {preset: twinflow}
      data: {kind: images, folder: \(data), size: [16, 16]}
      optimizer: {kind: adamw, learning_rate: 1e-3}
      batch: 4
      steps: 2
      output: \(folder.path)/\(output)
      log_every: 1
      """
    return try RecipeDecoder.decode(
      yaml: yaml, file: "small.yaml", settings: settings.map { try RecipeSetting($0) })
  }

  private func batches(_ recipe: TrainingRecipe) throws -> any BatchSource {
    try RunData(recipe, on: SharedEngine.get()) { _ in }.prepared(in: recipe.output).batches
  }

  /// A mask that equals its picture weighs each pixel by its own value, whatever is cut out and mirrored.
  @Test func masksAreCutLikeTheirPictures() throws {
    for number in 0..<3 {
      let suffix = number == 1 ? "-masklabel" : ".mask"
      try gray(number).write(to: "\(data)/p\(number)\(suffix).png")
    }
    let recipe = try recipe(
      "cut",
      [
        "data.masks=true", "data.unmasked_weight=0.25", "data.flip=true", "data.random_crops=2",
        "batch=16",
      ])
    var batches = try batches(recipe)
    let batch = try batches.next(rows: 0..<16)
    let (pixels, weights): ([Float], [Float]) = (batch["sample"]!.array(), batch["mask"]!.array())
    #expect(batch["mask"]!.type.shape.sizes == [16, 16, 16, 1])
    var plain = 0
    for row in 0..<16 {
      let own = (0..<256).map { weights[row * 256 + $0] }
      let expected = (0..<256).map { 0.25 + 0.75 * (pixels[(row * 256 + $0) * 3] + 1) / 2 }
      if own.allSatisfy({ $0 == 1 }) {
        plain += 1
      } else {
        #expect(zip(own, expected).allSatisfy { abs($0 - $1) < 1e-5 })
      }
    }
    // The last picture has no mask: four versions of it.
    #expect(plain == 4)
  }

  @Test func masksAreBroughtToTheSizeOfLatents() {
    let mask = RGBImage(
      width: 4, height: 2,
      values: [255, 255, 0, 255, 0, 0, 0, 51].flatMap { [UInt8](repeating: $0, count: 3) })
    #expect(LatentMask.values(mask, reduction: 2) == [0.5, 306.0 / 1020])
    #expect(LatentMask.weight(1, floor: 0.1) == 1)
    #expect(abs(LatentMask.weight(0, floor: 0.1) - 0.1) < 1e-7)
  }

  @Test func tablesNameMasks() throws {
    try gray(0, 2).write(to: "\(data)/half.png")
    let table = "\(data)/table.jsonl"
    func samples() throws -> any PromptSamples {
      let recipe = try recipe(
        "table", ["data={kind: manifest, file: \(table), size: [16, 16], masks: true}"])
      return try #require(recipe.data.promptDataSet).samples()
    }
    try Data(
      """
      {"image": "p0.png", "text": "a fox", "mask": "half.png"}
      {"image": "p1.png", "text": "a fox"}
      """.utf8
    ).write(to: URL(filePath: table))
    let found = try samples()
    // A smaller mask is brought to the size of its picture.
    let masks = try (0..<2).map { try found.images($0).mask }
    #expect(masks[0]?.width == 16 && masks[0]?.height == 16 && masks[1] == nil)
    #expect(try found.identity(1).mask == nil)
    let identity = try found.identity(0)
    try gray(1, 2).write(to: "\(data)/half.png")
    let other = try samples()
    #expect(try other.identity(0).picture == identity.picture)
    #expect(try other.identity(0).mask != identity.mask)
    #expect(other.content != found.content)
    try FileManager.default.removeItem(atPath: "\(data)/half.png")
    let error = #expect(throws: (any Error).self) { try samples() }
    #expect("\(error!)".contains("there is no mask \(data)/half.png"))
  }

  /// White masks change nothing; others do. A mask alone is an error, as is an objective without weights.
  @Test func whiteMasksTrainTheSame() throws {
    func weights(_ name: String, _ settings: [String]) throws -> [Float] {
      let trainer = try Trainer(recipe(name, settings), on: SharedEngine.get())
      try trainer.run()
      return try trainer.weights().values.flatMap { try $0.array(of: Float.self) }
    }
    let plain = try weights("plain", [])
    let white = Picture(
      width: 24, height: 18, channels: 1, values: [UInt8](repeating: 255, count: 24 * 18))
    try white.write(to: "\(data)/p0.mask.png")
    let same = try weights("white", ["data.masks=true"])
    #expect(zip(plain, same).allSatisfy { abs($0 - $1) < 2e-5 })
    #expect(same == plain)
    for number in 0..<4 { try gray(number).write(to: "\(data)/p\(number).mask.png") }
    let other = try weights("other", ["data.masks=true", "data.unmasked_weight=0"])
    #expect(other != plain && other.allSatisfy { $0.isFinite })
    let divided = try weights(
      "divided",
      [
        "data.masks=true", "data.unmasked_weight=0", "batch=8", "gradient_accumulation_steps=2",
        "data.flip=true",
      ])
    #expect(divided.allSatisfy { $0.isFinite })
    try gray(0).write(to: "\(data)/other.mask.png")
    let alone = #expect(throws: (any Error).self) { try batches(recipe("x")) }
    #expect("\(alone!)".contains("it is a mask, and there is no picture other"))
    let refused = #expect(throws: (any Error).self) {
      try recipe("x", ["data.masks=true", "objective={kind: tutorial}"])
    }
    #expect("\(refused!)".contains("it weighs all parts of pictures equally"))
  }

  /// The weighted mean of squares, which does not see what has no weight.
  @Test func lossesAreWeighted() throws {
    let engine = try SharedEngine.get()
    let types = Named([
      ("a", TensorType([2, 2, 2, 3], .float32)), ("b", TensorType([2, 2, 2, 3], .float32)),
      ("w", TensorType([2, 2, 2, 1], .float32)),
    ])
    let function = try engine.compile(types) { values in
      let (a, b, w) = (values["a"]!, values["b"]!, values["w"]!)
      return Named([
        ("weighted", RegressionLoss.l2(a, b, weights: w)),
        ("ones", RegressionLoss.barron()(a, b, weights: w * 0 + 1)),
        ("plain", RegressionLoss.barron()(a, b)),
      ])
    }
    let a = (0..<24).map { Float($0 % 7) * 0.3 }
    let b = (0..<24).map { Float($0 % 5) * 0.2 }
    let w: [Float] = [1, 0.5, 0, 0, 0, 0, 0, 0]
    let found = try function(
      Named([
        ("a", engine.array(a, shape: [2, 2, 2, 3])), ("b", engine.array(b, shape: [2, 2, 2, 3])),
        ("w", engine.array(w, shape: [2, 2, 2, 1])),
      ]))
    let squares = zip(a, b).map { ($0 - $1) * ($0 - $1) }
    let expected = (squares[0..<3].reduce(0, +) + 0.5 * squares[3..<6].reduce(0, +)) / 4.5
    let weighted = try found["weighted"]!.array(of: Float.self)
    #expect(abs(weighted[0] - expected) < 1e-6 && weighted[1] == 0)
    let (ones, plain) = try (
      found["ones"]!.array(of: Float.self), found["plain"]!.array(of: Float.self)
    )
    #expect(zip(ones, plain).allSatisfy { abs($0 - $1) <= 1e-6 * $1 })
  }
}
