import Foundation
import Layers
import Tensors
import TestSupport
import Testing

@testable import Models

/// Images in Qwen3-VL: interpolated positions, and features of inner layers.
@Suite struct Qwen3VLTests {
  /// By `F.interpolate` with `align_corners`: corners are those of the square, and one patch along an axis is
  /// its first place.
  @Test func positionsAreInterpolated() throws {
    let grids = [TokenGrid(height: 2, width: 4), TokenGrid(height: 1, width: 1)]
    let layout = VisionWindows(grids, merge: 1)
    let places = InterpolatedPositions(grids, layout, side: 3)
    // The table holds its rows and columns.
    let table = Numbers([9, 2], .float32) { Double($0[1] == 0 ? $0[0] / 3 : $0[0] % 3) }
    let found = try evaluate([table]) { [places($0[0])] }[0]
    let rows = [0.0, 0, 0, 0, 2, 2, 2, 2, 0]
    let columns = [0, 2.0 / 3, 4.0 / 3, 2, 0, 2.0 / 3, 4.0 / 3, 2, 0]
    expectClose(
      found, Numbers([9, 2], .float32) { $0[1] == 0 ? rows[$0[0]] : columns[$0[0]] },
      absolute: 1e-6)
  }

  /// Without a window the order is that of the squares, and whole images are the groups.
  @Test func layoutOfWholeImages() {
    let layout = VisionWindows(
      [TokenGrid(height: 4, width: 6), TokenGrid(height: 2, width: 2)], merge: 2)
    #expect(layout.order == Array(0..<7) && layout.windows == layout.images)
    #expect(layout.images.map(\.patches) == [0..<24, 24..<28])
    #expect(layout.positions.rows[4..<8] == [0, 0, 1, 1])
    #expect(layout.positions.columns[4..<8] == [2, 3, 2, 3])
  }

  private static let vision = """
    {"depth": 3, "hidden_size": 16, "intermediate_size": 20, "num_heads": 2, "out_hidden_size": 16,
     "patch_size": 2, "num_position_embeddings": 9, "deepstack_visual_indexes": [2, 0]}
    """

  private func config(_ execution: StackExecution) throws -> Qwen3VLConfig {
    let json = """
      {"vocab_size": 12, "hidden_size": 16, "intermediate_size": 20, "num_hidden_layers": 3,
       "num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 8,
       "rope_parameters": {"mrope_section": [2, 1, 1]}, "vision_config": \(Self.vision)}
      """
    var config = try JSONDecoder().decode(Qwen3VLConfig.self, from: Data(json.utf8))
    config.execution = execution
    config.vision?.execution = execution
    return config
  }

  /// Loops over layers give what unrolled ones give, and deep features change the result.
  @Test func scannedLayersAreTheSame() throws {
    let grids = [TokenGrid(height: 4, width: 2), TokenGrid(height: 2, width: 2)]
    func run(_ execution: StackExecution, usesDeep: Bool = true) throws -> Numbers {
      let config = try config(execution)
      let vision = try #require(config.vision)
      let tower = { (scope: Scope) in Qwen3VLVision(scope, vision) }
      let model = { (scope: Scope) in Qwen3VL(scope, config) }
      var given = Scope.declare(tower).random().prefixed("tower")
        .merging(Scope.declare(model).random().prefixed("model"))
      given["patches"] = .random([12, vision.patchValues], seed: 9, .float32)
      given["tokens"] = Numbers([1, 7, 7, 2, 3, 7, 1, 4], [2, 4], .int32)
      given["rows"] = Numbers([-1, 0, 1, -1, -1, 2, -1, -1], [2, 4], .int32)
      given["valid"] = Numbers([2, 4], .bool) { _ in 1 }
      given["positions"] = Numbers([3, 2, 4], .int32) { Double($0[2] + $0[0] * $0[2] / 3) }
      return try evaluate(given) { given in
        let found = Scope.bind(given.group("tower"), tower)
          .features(given["patches"]!, grids: grids)
        #expect(found.deep.count == 2)
        let features = VisionFeatures(
          embeddings: found.embeddings, deep: usesDeep ? found.deep : found.deep.map(\.zerosLike))
        let last = Scope.bind(given.group("model"), model).generation(
          given["tokens"]!, valid: given["valid"]!,
          images: ImageEmbeddings(features, rows: given["rows"]!), positions: given["positions"]!,
          after: nil, in: .float32
        ).last
        return Named([("last", last)])
      }["last"]!
    }
    let unrolled = try run(.unrolled)
    expectClose(try run(.scanned), unrolled, relative: 1e-4, absolute: 1e-5)
    let without = try run(.unrolled, usesDeep: false)
    #expect(zip(unrolled.values, without.values).contains { abs($0 - $1) > 0.01 })
  }
}
