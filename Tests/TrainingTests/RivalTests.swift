import Flow
import Foundation
import Recipe
import TestSupport
import Testing
import Weights

@testable import Training

/// Every preset trains the small networks that it can train, from a base of flow matching.
@Suite struct RivalTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func recipe(_ name: String, _ settings: [String]) throws -> TrainingRecipe {
    try tinyRecipe(
      "\(folder.path)/\(name)", ["ema_decay=0", "steps=3", "log_every=1"] + settings)
  }

  /// The logged values of a run.
  private func log(_ name: String) throws -> [[String: Double]] {
    try String(contentsOfFile: "\(folder.path)/\(name)/log.jsonl", encoding: .utf8)
      .split(separator: "\n").compactMap { line in
        let row = try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
        return row?.compactMapValues { $0 as? Double }
      }.filter { $0["loss"] != nil }
  }

  @Test func allPresetsTrainImages() throws {
    let engine = try SharedEngine.get()
    let base = try Trainer(recipe("base", ["objective={preset: flow-matching}"]), on: engine)
    #expect(try base.run())
    for preset in Preset.allCases where preset != .flowMatching && !preset.trainsLoRA {
      let name = preset.rawValue
      let settings = preset == .tutorial ? [] : ["start=\(folder.path)/base/weights.safetensors"]
      // The small network has one layer.
      let layers =
        preset.settings.criticLayers.isEmpty ? "" : ", adversarial: {weight: 0.1, layers: [0]}"
      let trainer = try Trainer(
        recipe(name, ["objective={preset: \(name)\(layers)}"] + settings), on: engine)
      #expect(try trainer.run())
      let rows = try log(name)
      #expect(rows.count == 3, "\(name)")
      for row in rows { #expect(row.values.allSatisfy { $0.isFinite }, "\(name): \(row)") }
      let critics = preset.settings.criticLayers.isEmpty
      #expect(critics || rows.contains { $0["critic"] != nil }, "\(name)")
    }
  }

  /// A critic's state is part of checkpoints, and so is the step that a warm-up follows: a resumed run is the
  /// unbroken one.
  @Test(arguments: [
    (
      "{preset: dmd2, interval: 2, adversarial: {weight: 0.1, layers: [0], r1: 1}}",
      "auxiliary.critic.weights.heads.0."
    ), ("{preset: scd, tangent_warmup: 3}", "auxiliary.teacher.weights."),
  ])
  func isResumed(objective: String, state: String) throws {
    let engine = try SharedEngine.get()
    let base = try Trainer(recipe("base", ["objective={preset: flow-matching}"]), on: engine)
    #expect(try base.run())
    let settings = [
      "start=\(folder.path)/base/weights.safetensors", "objective=\(objective)",
      "checkpoint_every=2", "steps=4",
    ]
    let whole = try Trainer(recipe("whole", settings), on: engine)
    #expect(try whole.run())
    let first = try Trainer(recipe("halves", settings), on: engine)
    #expect(try first.run(stopping: { first.step == 2 }) == false)
    let second = try Trainer(recipe("halves", settings), on: engine, start: .resumed)
    #expect(try second.run())
    let files = ["whole", "halves"].map {
      "\(folder.path)/\($0)/checkpoints/step-000004/state.safetensors"
    }
    let (expected, found) = (try SafeTensors(path: files[0]), try SafeTensors(path: files[1]))
    #expect(expected.types == found.types)
    #expect(expected.types.names.contains { $0.hasPrefix(state) })
    for name in expected.types.names {
      #expect(Array(expected.bytes(name)!) == Array(found.bytes(name)!), "\(name)")
    }
  }

  /// The warm-up is a part of one program: its first step differs from a run without, and no step is
  /// compiled anew.
  @Test func aWarmUpChangesTheFirstSteps() throws {
    let engine = try SharedEngine.get()
    let base = try Trainer(recipe("base", ["objective={preset: flow-matching}"]), on: engine)
    #expect(try base.run())
    let tangents = try [0, 2].map { steps -> [Float] in
      let trainer = try Trainer(
        recipe(
          "warm-up-\(steps)",
          [
            "start=\(folder.path)/base/weights.safetensors", "optimizer.learning_rate=1e-30",
            "objective={preset: scm, tangent_warmup: \(steps)}",
          ]),
        on: engine)
      let tangents = try (0..<3).map { _ in try trainer.advance()["tangent"]! }
      #expect(trainer.functions.count == 1)
      return tangents
    }
    #expect(tangents[0][0] != tangents[1][0] && tangents[0][1] != tangents[1][1])
    #expect(tangents[0][2] == tangents[1][2])
  }
}
