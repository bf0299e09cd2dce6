import Foundation
import Models
import Pipelines
import Recipe
import Runtime
import Tensors
import TestSupport
import Testing
import Weights

@testable import Training

/// Runs of a network with a second output head.
@Suite struct TwinHeadTrainingTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private var start: String { "start=\(folder.path)/base/weights.safetensors" }

  /// A recipe for pictures or points.
  private func recipe(_ name: String, points: Bool, _ settings: [String]) throws -> TrainingRecipe {
    let own = [
      "model={kind: perceptron, width: 8, depth: 1}", "data={kind: moons}", "condition_dropout=0",
    ]
    return try tinyRecipe(
      "\(folder.path)/\(name)", ["ema_decay=0.5"] + (points ? own : []) + settings)
  }

  private func base(points: Bool) throws {
    let base = try recipe("base", points: points, ["objective={preset: flow-matching}"])
    #expect(try Trainer(base, on: SharedEngine.get()).run())
  }

  private func state(_ run: String) throws -> SafeTensors {
    try SafeTensors(path: newestState("\(folder.path)/\(run)"))
  }

  /// The second head is a part of the state and of nothing else; a resumed run is the unbroken one.
  @Test(arguments: [false, true]) func theSecondHeadIsResumedAndNotSaved(points: Bool) throws {
    let engine = try SharedEngine.get()
    try base(points: points)
    let settings = [
      start, "objective={preset: twin-dmd, interval: 2}", "steps=5", "checkpoint_every=3",
    ]
    var notices: [String] = []
    let whole = try Trainer(recipe("whole", points: points, settings), on: engine) {
      notices.append($0)
    }
    #expect(
      notices.contains {
        $0.contains("no output head for the twin trajectory") && $0.contains("a copy of output.")
      })
    #expect(whole.recipe.model.hasTwinHead)
    #expect(try whole.run())
    let first = try Trainer(recipe("halves", points: points, settings), on: engine)
    #expect(try first.run(stopping: { first.step == 3 }) == false)
    let second = try Trainer(
      recipe("halves", points: points, settings), on: engine, start: .resumed)
    #expect(try second.run())
    let (expected, found) = (try state("whole"), try state("halves"))
    #expect(expected.types == found.types)
    for name in expected.types.names {
      #expect(Array(expected.bytes(name)!) == Array(found.bytes(name)!), "\(name)")
    }

    let names = expected.types.names
    #expect(names.contains("weights.twin_head.output.weight"))
    #expect(names.contains("ema.twin_head.output.weight"))
    #expect(names.contains { $0.hasPrefix("optimizer.first.twin_head.") })
    #expect(!names.contains { $0.hasPrefix("auxiliary.teacher.weights.twin_head.") })
    #expect(names.contains("auxiliary.teacher.weights.output.weight"))
    for place in ["", "checkpoints/step-000005/"] {
      let file = try ModelFile("\(folder.path)/whole/\(place)weights.safetensors", on: engine)
      #expect(!file.model.hasTwinHead && file.card.anyStep)
      let weights = try file.weights
      #expect(weights.names == whole.recipe.generatingModel.weights.names)
      for (name, array) in weights.pairs where !name.contains("*") {
        #expect(Array(expected.bytes("ema.\(name)")!) == (try array.bytes()), "\(name)")
      }
    }
    let generator = try Generator(
      ModelFile("\(folder.path)/whole/weights.safetensors", on: engine), batch: 2, on: engine)
    let made = try generator([Prompt](repeating: points ? "" : "3", count: 2), .preset(4), seed: 1)
    #expect(try made.array(of: Float.self).allSatisfy { $0.isFinite })
  }

  /// In every second step both losses are minimized, in the others that of the fakes, on which the first head
  /// has no part.
  @Test func theFirstHeadMovesWithTheGenerator() throws {
    let engine = try SharedEngine.get()
    try base(points: true)
    let trainer = try Trainer(
      recipe(
        "run", points: true,
        [start, "objective={preset: twin-dmd}", "steps=9", "optimizer.decay=constant"]),
      on: engine)
    let names = ["output.weight", "twin_head.output.weight", "input.weight"]
    func values() throws -> [[UInt8]] {
      try trainer.save()
      let state = try state("run")
      return names.map { Array(state.bytes("weights.\($0)")!) }
        + [Array(state.bytes("auxiliary.teacher.weights.output.weight")!)]
    }
    var last = try values()
    #expect(last[0] == last[1] && last[0] == last[3])
    for step in 0..<6 {
      let metrics = try trainer.advance()
      let now = try values()
      let isBoth = step % 2 == 0
      #expect((metrics["matching"] != nil) == isBoth && metrics["fake"] != nil)
      #expect(metrics["gradient_norm"] != nil && metrics["learning_rate"] != nil)
      if !isBoth { #expect(metrics["loss"] == metrics["fake"]) }
      // The learning rate of the first step is 0.
      if step > 0 {
        #expect((now[0] != last[0]) == isBoth, "the first head at step \(step)")
        #expect(now[1] != last[1] && now[2] != last[2], "the second head, the body at step \(step)")
      }
      #expect(now[3] == last[3], "the teacher at step \(step)")
      last = now
    }
  }

  /// Twin-DMD trains the networks that can have two heads, and TwinFlow one that has.
  @Test(arguments: [
    "{preset: twin-dmd}", "{preset: twin-dmd, simulation_steps: 1, interval: 3, guidance: 1}",
    "{preset: twinflow, enhanced_ratio: 0}",
  ])
  func trainsOnPoints(objective: String) throws {
    let engine = try SharedEngine.get()
    try base(points: true)
    let twin = objective.contains("twinflow") ? ["model.twin_head=true"] : []
    let trainer = try Trainer(
      recipe("run", points: true, [start, "objective=\(objective)", "batch=24"] + twin), on: engine)
    #expect(try trainer.run())
    let weights = try trainer.weights()
    #expect(try weights.values.allSatisfy { try $0.array(of: Float.self).allSatisfy(\.isFinite) })
    let state = try state("run")
    let (own, other) = ("weights.output.weight", "weights.twin_head.output.weight")
    #expect(Array(state.bytes(own)!) != Array(state.bytes(other)!))
  }

  /// Micro-batches have their share of the rows of each simulated step.
  @Test func microBatchesTrainAsTheWholeBatch() throws {
    let engine = try SharedEngine.get()
    try base(points: false)
    let results = try [1, 3].map { count -> [Float] in
      let trainer = try Trainer(
        recipe(
          "micro-\(count)", points: false,
          [
            start, "objective={preset: twin-dmd, guidance: 2}", "batch=24", "steps=3",
            "optimizer={kind: sgd, learning_rate: 0.1, betas: [0]}",
            "gradient_accumulation_steps=\(count)",
          ]), on: engine)
      #expect(try trainer.run())
      return try trainer.weights().values.flatMap { try $0.array(of: Float.self) }
    }
    let change = zip(results[0], results[1]).reduce(0) { $0 + abs($1.0 - $1.1) }
    #expect(change <= 2e-5 * results[0].reduce(0) { $0 + abs($1) })
  }

  @Test(arguments: [
    (["objective={preset: twin-dmd}"], "start"),
    (
      ["model={kind: tutorial-unet}", "objective={preset: twin-dmd}", "start=base"],
      "it has one output head, and twin-dmd trains two: take dit, text-dit or perceptron, or set "
        + "objective to {preset: dmd}"
    ),
    (
      ["objective={preset: twin-dmd}", "start=base", "lora={rank: 2}"],
      "leave lora out, or set objective to {preset: dmd}"
    ),
    (
      ["model.twin_head=true", "start=base", "lora={rank: 2}"],
      "leave lora out, or set model.twin_head to false"
    ),
    (
      ["model.twin_head=true", "objective={preset: dmd}", "start=base"],
      "leave twin_head out, or set objective to {preset: twin-dmd}"
    ),
    (["model.twin_head=true", "objective={preset: apex}"], "trains nothing at negative times"),
    (
      ["objective={preset: twin-dmd, simulation_steps: 0}", "start=base"], "from 1 to 4"
    ),
    (
      ["objective={preset: twin-dmd}", "start=base", "batch=3"],
      "A batch of 3 has no row for each of the 4 simulated steps"
    ),
    (
      [
        "objective={preset: twin-dmd}", "start=base", "batch=6", "gradient_accumulation_steps=2",
      ], "The group of simulated step 3 has 1 rows"
    ),
    (["model={kind: classifier, twin_head: true}"], "`twin_head`"),
  ])
  func whatCannotBeIsNamed(settings: [String], hint: String) {
    #expect {
      try tinyRecipe("out", settings)
    } throws: { "\($0)".contains(hint) }
  }

  /// What is advised where a batch is too small works.
  @Test func fewerStepsFitASmallBatch() throws {
    let recipe = try tinyRecipe(
      "out", "objective={preset: twin-dmd, simulation_steps: 3}", "start=base", "batch=3")
    #expect(recipe.batch == 3)
  }

  @Test func evaluationsAreCounted() throws {
    let recipe = try tinyRecipe(
      "out", "objective={preset: twin-dmd, interval: 2}", "start=base", "batch=8",
      "condition_dropout=0")
    let cost = try TrainingCost(recipe)
    // Every step: three simulated steps on 6, 4 and 2 rows, the samples, and the fakes with a gradient. Every
    // second: the gradient of the samples, the teacher and the fakes on the noised samples.
    #expect(cost.forward == 12 + 8 + 8 + (8 + 8) / 2)
    #expect(cost.backward == 8 + 8 / 2)
  }
}
