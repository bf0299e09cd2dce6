import Recipe
import TestSupport
import Testing

@testable import Training

/// The file of the newest training state in the folder of a run.
func newestState(_ run: String) throws -> String {
  guard let newest = RunCheckpoints(run: run).all.first else {
    throw TrainingError.nothingToResume(path: run)
  }
  return newest.state
}

/// The file of a checkpoint's training state in the folder of a run.
func stateFile(_ run: String, step: Int) -> String {
  "\(RunCheckpoints(run: run).path)/\(RunCheckpoints.name(of: step))/state.safetensors"
}

/// A recipe that trains a tiny network for a few steps on real pictures.
func tinyRecipe(_ output: String, _ settings: String...) throws -> TrainingRecipe {
  try tinyRecipe(output, settings)
}

/// A recipe that trains a tiny network for a few steps on real pictures.
func tinyRecipe(_ output: String, _ settings: [String]) throws -> TrainingRecipe {
  let yaml = """
    model: {kind: dit, size: 28, patch: 14, width: 16, depth: 1, heads: 2, mlp_ratio: 1}
    objective: {kind: twinflow, groups: {end_to_end: 1, multi_step: 1, any_step: 1, adversarial: 1}}
    data: {kind: fashion-mnist, flip: true}
    optimizer: {kind: adamw, learning_rate: 1e-3, warmup: 2, decay: cosine, max_grad_norm: 1}
    condition_dropout: 0.2
    batch: 4
    steps: 4
    ema_decay: 0.9
    seed: 3
    output: \(output)
    log_every: 1
    checkpoint_every: 2
    """
  return try RecipeDecoder.decode(
    yaml: yaml, file: "tiny.yaml", settings: settings.map { try RecipeSetting($0) })
}

/// Checks that two runs have logged the same figures at the same steps, but for their speed.
func expectEqualLogs(_ runs: [String], steps: [Int]) throws {
  let logs = try runs.map { try RunLog(of: $0) }
  let speeds = ["images_per_second", "peak_share", "data_wait"]
  for series in logs[0].series where !speeds.contains(series.name) {
    #expect(series.steps == steps)
    #expect(logs[1][series.name]?.values == series.values, "\(series.name)")
  }
  #expect(logs[0]["loss"]?.steps == steps && logs[0]["images_per_second"]?.steps == steps)
  #expect(logs[1].series.count == logs[0].series.count)
}

/// Trains, and checks that the losses are finite and differ.
///
/// - Parameter distinct: the number of losses that differ at least; nil for all.
@discardableResult
func trained(_ recipe: TrainingRecipe, distinct: Int? = nil) throws -> Trainer {
  let trainer = try Trainer(recipe, on: SharedEngine.get())
  try trainer.run()
  let losses = try RunLog(of: recipe.output)["loss"]?.values ?? []
  #expect(losses.count == recipe.steps && losses.allSatisfy { $0.isFinite })
  #expect(Set(losses).count >= distinct ?? losses.count)
  return trainer
}
