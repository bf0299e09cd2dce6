import Flow
import Tensors
import Testing

@testable import Training

@Suite struct TrainStateTests {
  @Test(
    "A state is made of its flattened leaves again",
    arguments: [
      ["objective={preset: twinflow}"], ["objective={preset: flow-matching}", "ema_decay=0"],
      ["objective={preset: twinflow-data-free}"],
      ["objective={kind: distribution-matching}", "start=x"],
      ["objective={preset: twinflow}", "start=x", "lora={rank: 2, full: [target]}"],
    ])
  func flattening(settings: [String]) throws {
    let specs = try TrainingStep(tinyRecipe("out", settings)).specs
    let flat = specs.flattened()
    let again = TrainState(flat, like: specs)
    #expect(again.flattened() == flat)
    #expect(again.live.trained == specs.live.trained && again.frozen == specs.frozen)
    // What a checkpoint leaves out is given beside it.
    let part = specs.flattened(includingFrozen: false)
    let joined = TrainState(part, like: specs, frozen: specs.frozen)
    #expect(joined.flattened() == flat)
    #expect(part.names == flat.names.filter { !$0.hasPrefix("frozen.") })
  }

  @Test func stateIsShardedLikeItsWeights() throws {
    let recipe = try tinyRecipe("out", "objective={preset: twinflow}")
    let step = try TrainingStep(recipe)
    let flat = step.specs.flattened()
    for (name, spec) in step.weights.pairs {
      for part in ["weights", "optimizer.first", "optimizer.second", "average", "ema"] {
        #expect(flat["\(part).\(name)"]?.sharding == spec.sharding, "\(part).\(name)")
      }
    }
    #expect(flat["decay"]?.sharding == .replicated && flat["step"]?.type.dtype == .int32)
  }
}
