import Files
import Foundation
import Pipelines
import Models
import Recipe
import Runtime
import Tensors
import Weights

/// The state of a run in a safetensors file, with the recipe and the position in the data in its
/// metadata.
struct Checkpoint {
  /// The number of steps made.
  let step: Int
  /// The position in the stream of batches.
  let batches: String
  /// The recipe of the run.
  let recipe: TrainingRecipe
  /// What the run depends on beside its recipe; nil in files of earlier versions.
  let origin: RunOrigin?
  /// Where it is.
  let place: CheckpointPlace
  private let file: WeightFiles

  private static let (stepKey, batchesKey, recipeKey, originKey) = (
    "step", "batches", "recipe", "origin"
  )

  /// Opens a checkpoint.
  ///
  /// - Throws: `TrainingError.damagedCheckpoint`, `notACheckpoint` and `unreadableCheckpoint`, or
  ///   `WeightsError` for a damaged file.
  init(_ place: CheckpointPlace) throws {
    let path = place.path
    self.place = place
    guard WeightFiles.exist(at: place.state) else {
      throw TrainingError.damagedCheckpoint(
        path: path, reason: "it has no \((place.state as NSString).lastPathComponent)")
    }
    file = try WeightFiles(path: place.state)
    guard let step = file.metadata[Self.stepKey].flatMap(Int.init),
      (0...TrainingRecipe.mostSteps).contains(step), let batches = file.metadata[Self.batchesKey],
      let json = file.metadata[Self.recipeKey]
    else { throw TrainingError.notACheckpoint(path: path) }
    do {
      // JSON is YAML; the recipe decoder has the best error messages.
      recipe = try RecipeDecoder.decode(yaml: json, file: Self.recipeKey)
      origin = try file.metadata[Self.originKey].map {
        try RecipeDecoder.decode(yaml: $0, file: Self.originKey)
      }
    } catch {
      throw TrainingError.unreadableCheckpoint(path: path, reason: "\(error)")
    }
    self.step = step
    self.batches = batches
  }

  /// Checks that a run of a recipe may be resumed from this checkpoint.
  ///
  /// - Throws: `TrainingError.otherRun`, which names the first difference.
  func check(_ other: TrainingRecipe, data: String) throws {
    // Earlier versions recorded only the folder of the data.
    let compared: Set = origin == nil ? ["data.path"] : []
    var difference = try recipe.difference(
      from: other, ignoring: .whenResumed, except: compared)
    if let origin, origin.data != data { difference = difference ?? "its data are other data" }
    guard let difference else { return }
    throw TrainingError.otherRun(path: place.path, difference: difference)
  }

  /// The reason why a run would have another result than this one, nil where it would be the same.
  func difference(from other: TrainingRecipe, _ origin: RunOrigin) throws -> String? {
    if let difference = try recipe.difference(from: other, ignoring: .always) {
      return difference
    }
    guard let own = self.origin else { return "it does not record its origin" }
    if own.data != origin.data { return "its data are other data" }
    if own.start != origin.start { return "it started from other weights" }
    if own.trainingLoRA != origin.trainingLoRA { return "its training_lora was another file" }
    if own.version != origin.version {
      return "it was made by version \(own.version) of the program"
    }
    return nil
  }

  /// The state on the devices; it may have been written from another mesh.
  func state(
    _ specs: Named<ArraySpec>, on engine: Engine
  ) throws -> Named<ShardedArray> {
    if ModelConfig.areOld(TrainState.weights(in: file.types)) {
      throw TrainingError.oldCheckpoint(path: place.path)
    }
    return try file.arrays(specs.types, shardings: specs.shardings, on: engine)
  }

  /// Writes a checkpoint, atomically: one file, or on a mesh one for each device.
  static func write(
    _ state: Named<ShardedArray>, step: Int, recipe: TrainingRecipe, origin: RunOrigin,
    batches: String, to path: String, on engine: Engine
  ) throws {
    let metadata = [
      stepKey: "\(step)", batchesKey: batches, recipeKey: try JSONFile.text(recipe),
      originKey: try JSONFile.text(origin),
    ]
    if let mesh = engine.mesh {
      try WeightFiles.write(
        parts: state, metadata: metadata, to: path, stamp: "step-\(step)", mesh: mesh,
        by: engine.writers)
    } else {
      try WeightFiles.write(state.types, metadata: metadata, to: path) {
        try state[$0]!.bytes()
      }
    }
  }
}
