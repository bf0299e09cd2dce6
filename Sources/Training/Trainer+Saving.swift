import Files
import Foundation
import Layers
import Models
import Pipelines
import Recipe
import Runtime
import Tensors
import Weights

extension Trainer {
  /// The weights for generation: their average if the recipe sets a decay, with LoRA merged.
  public func weights() throws -> Named<ShardedArray> {
    let trained = state.generating
    guard let lora = recipe.lora else {
      return recipe.generatingModel.weights.map { name, _ in
        trained[name] ?? state.frozen[name]!
      }
    }
    let all = state.frozen.filter { trainingStep.trainingLoRA[$0] == nil }.merging(trained)
    let merged = try engine.compile(all.types, shardings: all.shardings) {
      lora.merged($0.dequantized().mapValues { $0.cast(to: .float32) })
    }(all)
    return recipe.model.weights.map { name, _ in merged[name]! }
  }

  /// Records a metric that is not one of the steps, such as that of an evaluation, by which checkpoints
  /// may be kept (`keep_best`).
  package func record(_ name: String, _ value: Double) { means.set(name, to: value) }

  /// Writes a checkpoint of this step, unless it is there, and the newest weights, each atomically;
  /// checkpoints that the recipe does not keep are deleted.
  ///
  /// - Throws: `TrainingError.notSaved` where a file cannot be written, as on a full disk: earlier
  ///   checkpoints stay. `RecipeError` where the metric of `keep_best` is not one of the run's.
  public func save() throws {
    do {
      try saveAll()
    } catch let error as FileError {
      throw TrainingError.notSaved(
        step: step, reason: error.description, checkpoint: folder.existingCheckpoint)
    }
  }

  private func saveAll() throws {
    let isFirst = (engine.group?.rank ?? 0) == 0
    let trained = recipe.lora == nil ? try weights() : state.generating
    if savedStep != step {
      let metrics = means.values(ofAtLeast: (recipe.checkpointEvery + 1) / 2)
      try folder.checkpoints.write(
        step: step, metrics: metrics, replacingAll: replacesCheckpoints, by: engine.group
      ) { folder in
        try Checkpoint.write(
          checkpointed, step: step, recipe: recipe, origin: origin,
          batches: position, to: CheckpointPlace(path: folder, step: step, isOld: false).state,
          on: engine)
        try write(trained, to: ResultFiles(folder: folder))
      }
      (savedStep, replacesCheckpoints) = (step, false)
      let known = means.names
      means = MetricMeans()
      if isFirst { try folder.checkpoints.prune(recipe.retention, at: step) }
      if !known.isEmpty { try recipe.checkKeepBest(among: known) }
    }
    try write(trained, to: folder.results)
  }

  /// What checkpoints hold of the state.
  private var checkpointed: Named<ShardedArray> {
    let all = state.flattened()
    return trainingStep.saved.map { name, _ in all[name]! }
  }

  /// Writes the weights for generation.
  private func write(_ trained: Named<ShardedArray>, to files: ResultFiles) throws {
    let stamp = "step-\(step)"
    var card = recipe.card
    if let lora = recipe.lora, let base = recipe.start, let content = origin.start {
      card.lora = LoRACard(
        lora: lora, base: base, content: content,
        baseDType: recipe.baseDType == .stored ? nil : recipe.baseDType)
      let embedder = trained.filter(recipe.model.isTargetEmbedder)
      if !embedder.isEmpty {
        try ModelFile.write(
          embedder, card: recipe.card, to: files.targetEmbedder, stamp: stamp, on: engine)
      }
      return try ModelFile.write(
        trained.filter { embedder[$0] == nil }, card: card, to: files.adapter,
        stamp: stamp, sampling: recipe.sampling.text(), on: engine)
    }
    guard recipe.model.isPublished else {
      return try ModelFile.write(trained, card: card, to: files.weights, stamp: stamp, on: engine)
    }
    try TransformerFolder(files.transformer).write(
      trained, card: card, as: recipe.precision.dtype, stamp: stamp, on: engine)
    if (engine.group?.rank ?? 0) == 0 { try recipe.writeModelIndex(in: files.folder) }
  }
}
