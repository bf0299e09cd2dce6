import Foundation
import Layers
import Models
import Pictures
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Pipelines

/// From image files to logits, against Qwen2.5-VL of transformers: a case with random weights, an image
/// that is enlarged and one that is reduced, windows that are cut off, and prompts padded on both sides.
@Suite struct VisionLanguageTests {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../Fixtures/golden/judge_qwen2_5_vl_a").path
  private static let model = folder + "/model"

  /// The arrays of `expected.safetensors`.
  private struct Expected {
    let files: WeightFiles
    let floors: [String: Double]

    init(_ folder: String) throws {
      files = try WeightFiles(path: folder + "/expected.safetensors")
      let settings = try JSONSerialization.jsonObject(
        with: Data(contentsOf: URL(fileURLWithPath: folder + "/config.json")))
      floors =
        try #require(
          (settings as? [String: Any])?["float32_vs_float64_maxabs"] as? [String: Double])
    }

    func callAsFunction(_ name: String) throws -> Numbers {
      let type = try #require(files.types[name], "\(name)")
      let bytes = files.bytes(
        name, Region(start: type.shape.sizes.map { _ in 0 }, sizes: type.shape.sizes))
      try #require(type.dtype == .float32 || type.dtype == .int64, "\(name) is \(type)")
      let values = bytes.withUnsafeBytes { bytes in
        type.dtype == .float32
          ? bytes.bindMemory(to: Float.self).map { Double($0) }
          : bytes.bindMemory(to: Int64.self).map { Double($0) }
      }
      return Numbers(values, type.shape.sizes, type.dtype)
    }

    func integers(_ name: String) throws -> [Int] { try self(name).values.map { Int($0) } }

    /// Expects an output to be within ten times the published floor, or 1e-5 of the norm.
    func expectEqual(_ found: Numbers, _ name: String) throws {
      let wanted = try self(name)
      try #require(found.shape == wanted.shape, "\(name) is \(found.shape)")
      let differences = zip(found.values, wanted.values).map { $0 - $1 }
      let norm = { (values: [Double]) in values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
      let largest = differences.map { abs($0) }.max() ?? 0
      #expect(
        largest <= 10 * (floors[name] ?? 0) || norm(differences) <= 1e-5 * norm(wanted.values),
        "\(name) differs by \(largest)")
    }
  }

  private static func config() throws -> Qwen2_5VLConfig {
    try PublishedConfig.read(from: model + "/config.json")
  }

  /// The patches of images of the case.
  private func patches(_ images: [Int]) throws -> Qwen2VLImageProcessor.Patches {
    let processor = try PublishedConfig.read(
      Qwen2VLImageProcessor.self, from: Self.model + "/preprocessor_config.json")
    return try processor(
      images.map { try RGBImage(contentsOf: "\(Self.folder)/image_\($0).png") })
  }

  /// Weights of the case as arrays.
  private func weights(
    _ specs: Named<ParameterSpec>, names: ([String]) -> NameMap,
    ignoring ignored: @escaping (String, NameMap) -> Bool
  ) throws -> Named<Numbers> {
    let files = try WeightFiles(path: Self.model)
    let names = names(files.types.names)
    return try WeightLoader(SharedClient.get()).load(
      specs, from: files, names: names, as: { _ in .float32 }, ignoring: { ignored($0, names) }
    ).mapValues { array in
      Numbers(
        try array.array(of: Float.self).map { Double($0) }, array.type.shape.sizes, .float32)
    }
  }

  /// The tokens of images.
  private func embeddings(_ images: [Int]) throws -> Numbers {
    let config = try #require(try Self.config().vision)
    let build = { (scope: Scope) in Qwen2_5VLVision(scope, config) }
    let patches = try patches(images)
    var given = try weights(
      Scope.declare(build), names: config.names(in:), ignoring: config.ignores(_:named:)
    ).prefixed("weights")
    given["patches"] = Numbers(
      patches.values.array(of: Float.self).map { Double($0) }, patches.values.type.shape.sizes,
      .float32)
    return try evaluate(given) { given in
      let tower = Scope.bind(given.group("weights"), build)
      return Named([("embeddings", tower(given["patches"]!, grids: patches.grids))])
    }["embeddings"]!
  }

  @Test(arguments: [("one", [0]), ("two", [1, 2])]) func patches(run: String, images: [Int]) throws
  {
    let expected = try Expected(Self.folder)
    let found = try patches(images)
    #expect(
      try found.grids.flatMap { [1, $0.height, $0.width] }
        == expected.integers("\(run).image_grid_thw"))
    let values = found.values.array(of: Float.self)
    #expect(try values.map { Double($0) } == expected("\(run).pixel_values").values)
  }

  @Test(arguments: [("one", [0]), ("two", [1, 2]), ("batch", [1, 0])])
  func embeddings(run: String, images: [Int]) throws {
    try Expected(Self.folder).expectEqual(embeddings(images), "\(run).image_embeds")
  }

  /// The prompts of a run, from published tokens with one image token for each image.
  private func prompts(
    _ run: String, _ grids: [TokenGrid], images: [[Int]], _ expected: Expected
  ) throws -> [MultimodalPrompt] {
    let config = try Self.config()
    let (ids, mask) = try (expected("\(run).input_ids"), expected("\(run).attention_mask"))
    return try images.enumerated().map { row, images in
      let length = ids.shape[1]
      var tokens = [Int32]()
      for place in row * length..<(row + 1) * length where mask.values[place] == 1 {
        let token = Int32(ids.values[place])
        if token == config.imageToken, tokens.last == token { continue }
        tokens.append(token)
      }
      return try MultimodalPrompt(
        tokens, imageToken: config.imageToken, grids: grids, images: images,
        merge: config.vision?.merge ?? 0)
    }
  }

  @Test(arguments: [
    ("one", [0], [[0]], MultimodalBatch.Padding.right), ("two", [1, 2], [[0, 1]], .right),
    ("batch_left", [1, 0], [[0], [1]], .left), ("batch_right", [1, 0], [[0], [1]], .right),
  ])
  func logits(
    run: String, images: [Int], rows: [[Int]], padding: MultimodalBatch.Padding
  ) throws {
    let config = try Self.config()
    let expected = try Expected(Self.folder)
    let prompts = try prompts(run, patches(images).grids, images: rows, expected)
    let batch = try MultimodalBatch(
      prompts, padding: padding, token: Int32(expected.integers("\(run).input_ids")[0]))
    let valid = batch.valid.array(of: Bool.self)
    #expect(try valid.map { $0 ? 1 : 0 } == expected.integers("\(run).attention_mask"))
    let (ids, positions) = (
      batch.tokens.array(of: Int32.self), batch.positions.array(of: Int32.self)
    )
    let (wantedIDs, wantedPositions) = try (
      expected.integers("\(run).input_ids"), expected.integers("\(run).position_ids")
    )
    for (place, isValid) in valid.enumerated() where isValid {
      #expect(Int(ids[place]) == wantedIDs[place])
      for axis in 0..<3 {
        let index = axis * valid.count + place
        #expect(Int(positions[index]) == wantedPositions[index])
      }
    }
    let deltas = prompts.map { Int($0.next) - $0.tokens.count }
    #expect(try deltas == expected.integers("\(run).rope_deltas"))

    let embeddings = try embeddings(images)
    let build = { (scope: Scope) in Qwen2_5VL(scope, config) }
    let head = { (scope: Scope) in
      LanguageModelHead(scope, width: config.width, vocabulary: config.vocabulary)
    }
    var given = try weights(Scope.declare(build), names: config.names(in:)) { name, _ in
      config.ignores(name)
    }.prefixed("weights")
    given = try given.merging(
      weights(Scope.declare(head), names: config.headNames(in:)) { _, _ in true }.prefixed("head"))
    let length = batch.tokens.type.shape[1]
    let last = prompts.map { padding == .left ? length - 1 : $0.tokens.count - 1 }
    func numbers(_ array: Tensors.HostArray) -> Numbers {
      Numbers(
        array.array(of: Int32.self).map { Double($0) }, array.type.shape.sizes, .int32)
    }
    given["tokens"] = numbers(batch.tokens)
    given["positions"] = numbers(batch.positions)
    given["rows"] = numbers(batch.imageRows)
    given["valid"] = Numbers(valid.map { $0 ? 1 : 0 }, batch.valid.type.shape.sizes, .bool)
    given["embeddings"] = embeddings
    let results = try evaluate(given) { given in
      let model = Scope.bind(given.group("weights"), build)
      let encoding = model(
        given["tokens"]!, valid: given["valid"]!,
        images: ImageEmbeddings(
          VisionFeatures(embeddings: given["embeddings"]!), rows: given["rows"]!),
        positions: given["positions"]!)
      let states = last.enumerated().map { row, place in encoding.last[row][place] }
      let logits = Scope.bind(given.group("head"), head)(.stack(states))
      return Named([("logits", logits)])
    }
    let name = run == "batch_left" ? "batch.last_logits" : "\(run).last_logits"
    try expected.expectEqual(results["logits"]!, name)
    if run != "batch_right" {
      let part = run == "batch_left" ? "batch" : run
      let found = try probabilities(results["logits"]!, of: expected("answer_ids"))
      try expected.expectEqual(found[0], "\(part).p_yes")
      try expected.expectEqual(found[1], "\(part).p_no")
    }
  }

  /// The probability of each row of answers, over the first tokens of its spellings, for each prompt.
  private func probabilities(_ logits: Numbers, of answers: Numbers) -> [Numbers] {
    let (size, count) = (logits.shape[1], answers.shape[1])
    return (0..<answers.shape[0]).map { answer in
      let tokens = answers.values[answer * count..<(answer + 1) * count].map { Int($0) }
      return Numbers(
        (0..<logits.shape[0]).map { prompt in
          let row = logits.values[prompt * size..<(prompt + 1) * size].map { exp($0) }
          return tokens.reduce(0) { $0 + row[$1] } / row.reduce(0, +)
        })
    }
  }
}
