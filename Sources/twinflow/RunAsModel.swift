import Files
import Foundation
import Pipelines
import Training

/// The file of weights at a path: of a run or of one of its checkpoints where the path is their folder.
///
/// - Throws: the errors of finding it, and of reading a checkpoint.
func weightsPath(_ given: String) throws -> String {
  let path = try SharedFiles.standard.path(given)
  return try TrainedRun(path)?.weights ?? path
}

/// The whole model that a run has trained a network of.
struct ModelOfRun {
  /// The model's folder, or its name.
  let model: String
  /// The transformer that takes the place of the model's, nil for its own.
  let transformer: String?
  /// The LoRA that was trained, nil for none.
  let lora: LoRAUse?

  /// The model of the run, or of the checkpoint, whose folder is at a path; nil for anything else, and for
  /// the folder of a whole model.
  ///
  /// - Throws: `NoWholeModel`, and the errors of reading a checkpoint.
  init?(_ path: String) throws {
    guard !FileManager.default.fileExists(atPath: "\(path)/model_index.json"),
      let run = try TrainedRun(path)
    else { return nil }
    guard let model = run.model else { throw NoWholeModel(path: path, weights: run.weights) }
    self.model = model
    (transformer, lora) =
      run.isTransformer ? (run.weights, nil) : (run.targetEmbedder, LoRAUse(run.weights))
  }
}

extension ModelOptions {
  /// These options, with the networks of a run where the model is the folder of a run or of one of its
  /// checkpoints, and not itself that of a whole model.
  ///
  /// - Throws: the errors of `ModelOfRun`.
  func resolvingRun() throws -> ModelOptions {
    guard let run = try model.flatMap({ try ModelOfRun($0) }) else { return self }
    var resolved = self
    resolved.model = run.model
    resolved.transformer = transformer ?? run.transformer
    if let lora = run.lora { resolved.lora.insert(lora, at: 0) }
    return resolved
  }
}

/// A run that has trained no text-to-image model.
struct NoWholeModel: Error, CustomStringConvertible {
  let path: String
  let weights: String

  var description: String {
    "\(path) is a run that trains no text-to-image model. Make pictures with: twinflow sample "
      + weights
  }
}
