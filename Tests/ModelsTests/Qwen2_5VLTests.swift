import Layers
import Tensors
import TestSupport
import Testing

@testable import Models

/// Images in Qwen2.5-VL: the vision tower's windows, prompts with images, and their positions.
@Suite struct Qwen2_5VLTests {
  private static let grids = [
    TokenGrid(height: 4, width: 10), TokenGrid(height: 2, width: 2), TokenGrid(height: 6, width: 4),
  ]

  private func vision() throws -> Qwen2_5VLVisionConfig {
    try #require(try TextEncoderTests.qwen2_5VL().vision)
  }

  /// Patches with random values.
  private func patches(_ config: Qwen2_5VLVisionConfig, _ grids: [TokenGrid]) -> Numbers {
    let count = grids.reduce(0) { $0 + $1.count }
    return .random([count, config.patchValues], seed: 9, .float32)
  }

  private func embeddings(
    _ config: Qwen2_5VLVisionConfig, _ patches: Numbers, _ grids: [TokenGrid],
    in dtype: DType = .float32
  ) throws -> Numbers {
    let build = { (scope: Scope) in Qwen2_5VLVision(scope, config) }
    var given = Scope.declare(build).random().prefixed("weights")
    given["patches"] = patches
    return try evaluate(given) { given in
      let tower = Scope.bind(given.group("weights"), build)
      return Named([("y", tower(given["patches"]!, grids: grids, in: dtype))])
    }["y"]!
  }

  /// The tower by its definition: all patches in reading order, with masks.
  private func masked(
    _ config: Qwen2_5VLVisionConfig, _ patches: Numbers, _ grids: [TokenGrid]
  ) throws -> Numbers {
    /// The image, row and column of each patch.
    let places = grids.enumerated().flatMap { image, grid in
      (0..<grid.count).map { index in
        let (square, inner) = (index / 4, index % 4)
        let across = grid.width / 2
        return (
          image: image, row: square / across * 2 + inner / 2,
          column: square % across * 2 + inner % 2
        )
      }
    }
    let window = config.windowSize * config.merge
    func mask(_ sees: (Int, Int) -> Bool) -> Numbers {
      Numbers([places.count, places.count], .bool) { sees($0[0], $0[1]) ? 1 : 0 }
    }
    let build = { (scope: Scope) in Qwen2_5VLVision(scope, config) }
    var given = Scope.declare(build).random().prefixed("weights")
    given["patches"] = patches
    given["full"] = mask { places[$0].image == places[$1].image }
    given["windows"] = mask { a, b in
      places[a].image == places[b].image && places[a].row / window == places[b].row / window
        && places[a].column / window == places[b].column / window
    }
    given["rows"] = Numbers(places.map { Double($0.row) })
    given["columns"] = Numbers(places.map { Double($0.column) })
    return try evaluate(given) { given in
      let tower = Scope.bind(given.group("weights"), build)
      let angles = ["rows", "columns"].map {
        given[$0]!.rotaryAngles(width: config.headWidth / 2, base: config.theta)
      }
      let rotary = Rotary(angles: .concatenate(angles, axis: -1), layout: .halfSplit)
      var x = given["patches"]!.dot(
        tower.embedding.reshape([config.width, -1]), contracting: ([1], [1])
      ).expanded([0])
      for layer in 0..<config.depth {
        let block = tower.blocks.layer(layer)
        let options = AttentionOptions(
          mask: .full(given[config.fullLayers.contains(layer) ? "full" : "windows"]!))
        let normed = block.attentionNorm(x)
        let attention = block.attention
        let parts = [attention.queries, attention.keys, attention.values].map {
          $0(normed).reshape([1, places.count, config.heads, -1])
        }
        let mixed = rotary(parts[0]).attention(keys: rotary(parts[1]), values: parts[2], options)
        let h = x + attention.output(mixed.reshape(x.shape))
        x = h + block.mlp(block.mlpNorm(h))
      }
      let merged = tower.merger(tower.norm(x).reshape([1, places.count / 4, -1]))
      return Named([("y", merged.reshape([places.count / 4, -1]))])
    }["y"]!
  }

  @Test(arguments: StackExecution.allCases)
  func windowsAreWhatPatchesSee(_ execution: StackExecution) throws {
    var config = try vision()
    config.execution = execution
    let patches = patches(config, Self.grids)
    let found = try embeddings(config, patches, Self.grids)
    #expect(found.shape == [17, 16])
    expectClose(
      found, try masked(config, patches, Self.grids), relative: 1e-4, absolute: 1e-4)
    // Without windows the result is another one.
    config.fullLayers = Array(0..<config.depth)
    let other = try embeddings(config, patches, Self.grids)
    #expect(zip(found.values, other.values).contains { abs($0 - $1) > 0.01 })
  }

  /// Each image is embedded as if it were alone.
  @Test func imagesDoNotSeeEachOther() throws {
    let config = try vision()
    let patches = patches(config, Self.grids)
    let all = try embeddings(config, patches, Self.grids)
    var (patch, row) = (0, 0)
    for grid in Self.grids {
      let width = config.patchValues
      let own = Numbers(
        Array(patches.values[patch * width..<(patch + grid.count) * width]), [grid.count, width],
        .float32)
      let alone = try embeddings(config, own, [grid])
      let rows = grid.count / 4
      expectClose(
        alone.values, Array(all.values[row * 16..<(row + rows) * 16]), relative: 1e-4,
        absolute: 1e-4)
      patch += grid.count
      row += rows
    }
  }

  @Test func halfPrecisionStaysHalf() throws {
    let config = try vision()
    let patches = patches(config, Self.grids)
    let (half, single) = try (
      embeddings(config, patches, Self.grids, in: .bfloat16),
      embeddings(config, patches, Self.grids)
    )
    #expect(half.dtype == .bfloat16)
    let difference = zip(half.values, single.values).reduce(0) {
      $0 + ($1.0 - $1.1) * ($1.0 - $1.1)
    }
    #expect(difference < 0.01 * single.values.reduce(0) { $0 + $1 * $1 })
  }

  /// Windows of one shape stand together; every patch is there once.
  @Test func layoutOfWindows() {
    let layout = VisionWindows(
      [TokenGrid(height: 6, width: 10), TokenGrid(height: 2, width: 4)], merge: 2, window: 2)
    #expect(layout.order == [0, 1, 5, 6, 2, 3, 7, 8, 4, 9, 10, 11, 12, 13, 14, 15, 16])
    #expect(layout.inverse[4] == 8 && layout.inverse[5] == 2)
    let windows = layout.windows.map { [$0.patches.lowerBound, $0.patches.count, $0.count] }
    #expect(windows == [[0, 32, 2], [32, 8, 1], [40, 16, 2], [56, 4, 1], [60, 8, 1]])
    #expect(layout.images.map(\.patches) == [0..<60, 60..<68])
    #expect(layout.positions.rows[8..<12] == [2, 2, 3, 3])
    #expect(layout.positions.columns[8..<12] == [0, 1, 0, 1])
  }

  @Test func namesOfTheTower() throws {
    let config = try vision()
    let specs = Scope.declare { Qwen2_5VLVision($0, config) }
    #expect(specs["patch_embed.proj.weight"]?.shape == [16, 3, 2, 2, 2])
    for prefix in ["visual.", "model.visual.", ""] {
      let embedding = prefix + "patch_embed.proj.weight"
      let names = config.names(in: ["model.norm.weight", embedding])
      #expect(names.diskName(of: "patch_embed.proj.weight") == embedding)
      #expect(!config.ignores(prefix + "blocks.0.norm1.weight", named: names))
      #expect(prefix.isEmpty || config.ignores("model.norm.weight", named: names))
    }
  }

  /// By `get_rope_index` of transformers: text, an image of 2 × 3 merged patches, text, one of 2 × 1.
  @Test func positionsOfTextAndImages() throws {
    let grids = [TokenGrid(height: 4, width: 2), TokenGrid(height: 4, width: 6)]
    let prompt = try MultimodalPrompt(
      [1, 2, 9, 3, 4, 9, 5], imageToken: 9, grids: grids, images: [1, 0])
    #expect(prompt.tokens == [1, 2, 9, 9, 9, 9, 9, 9, 3, 4, 9, 9, 5])
    #expect(prompt.positions[0] == [0, 1, 2, 2, 2, 2, 2, 2, 5, 6, 7, 7, 9])
    #expect(prompt.positions[1] == [0, 1, 2, 2, 2, 3, 3, 3, 5, 6, 7, 8, 9])
    #expect(prompt.positions[2] == [0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 7, 9])
    #expect(prompt.imageRows == [-1, -1, 2, 3, 4, 5, 6, 7, -1, -1, 0, 1, -1])
    #expect(prompt.next == 10)
    let text = try MultimodalPrompt([1, 2], imageToken: 9)
    #expect(text.positions == [[0, 1], [0, 1], [0, 1]] && text.next == 2)

    let batch = MultimodalBatch([prompt, text], token: 8)
    #expect(batch.tokens.type == TensorType([2, 13], .int32))
    #expect(
      batch.tokens.array(of: Int32.self).suffix(13) == [1, 2] + [Int32](repeating: 8, count: 11))
    #expect(batch.valid.array(of: Bool.self).count { $0 } == 15)
    #expect(batch.positions.array(of: Int32.self)[13..<16] == [0, 1, 0])
    let left = MultimodalBatch([prompt, text], length: 14, padding: .left, token: 8)
    #expect(left.tokens.array(of: Int32.self)[..<3] == [8, 1, 2])
    #expect(left.imageRows.array(of: Int32.self)[..<4] == [-1, -1, -1, 2])
    #expect(left.positions.array(of: Int32.self).suffix(2) == [0, 1])
  }

  @Test(arguments: [([1, 2], 1), ([9, 9], 1), ([9], 0)])
  func imageTokensAreCounted(tokens: [Int32], images: Int) {
    let grids = [TokenGrid](repeating: TokenGrid(height: 2, width: 2), count: images)
    let found = tokens.count { $0 == 9 }
    #expect(throws: ModelError.imageTokens(found: found, images: images)) {
      try MultimodalPrompt(tokens, imageToken: 9, grids: grids)
    }
  }

  /// An image's embedding stands for its token, and text sees it and its positions.
  @Test func imagesStandInPrompts() throws {
    let config = try TextEncoderTests.qwen2_5VL()
    let build = { (scope: Scope) in Qwen2_5VL(scope, config) }
    let weights = Scope.declare(build).random()
    let tokens = Numbers([1, 7, 7, 2, 3, 7, 7, 4], [2, 4], .int32)
    let rows = Numbers([-1, 2, 0, -1, -1, 1, 2, -1], [2, 4], .int32)
    let plain = Numbers([3, 2, 4], .int32) { Double($0[2]) }
    let images = Numbers.random([3, 16], seed: 4, .float32)
    func run(_ images: Numbers, _ positions: Numbers?) throws -> Named<Numbers> {
      var given = weights.prefixed("weights")
      given["tokens"] = tokens
      given["rows"] = rows
      given["images"] = images
      given["positions"] = positions
      return try evaluate(given) { given in
        let encoding = Scope.bind(given.group("weights"), build)(
          given["tokens"]!,
          images: ImageEmbeddings(
            VisionFeatures(embeddings: given["images"]!), rows: given["rows"]!),
          positions: given["positions"], hidden: [0])
        return Named([("first", encoding.hidden[0]!), ("last", encoding.last)])
      }
    }
    let found = try run(images, plain)
    let embedding = try #require(weights["embed_tokens.weight"])
    let expected = Numbers([2, 4, 16], .float32) { place in
      let row = Int(rows[place[0], place[1]])
      let token = Int(tokens[place[0], place[1]])
      return row < 0 ? embedding[token, place[2]] : images[row, place[2]]
    }
    expectClose(found["first"]!, expected)
    // Plain positions are those of text.
    expectClose(
      found["last"]!, try run(images, nil)["last"]!, relative: 1e-4, absolute: 1e-5)
    let faster = Numbers([3, 2, 4], .int32) { Double($0[2] * ($0[0] == 0 ? 2 : 1)) }
    let other = try run(images, faster)["last"]!
    #expect(zip(found["last"]!.values, other.values).contains { abs($0 - $1) > 0.01 })
  }
}
