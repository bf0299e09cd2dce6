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

extension ModelOptions {
  /// These options, with the networks of a run where the model is the folder of a run or of one of its
  /// checkpoints, and not itself that of a whole model.
  ///
  /// - Throws: `NoWholeModel`, and the errors of reading a checkpoint.
  func resolvingRun() throws -> ModelOptions {
    guard let path = model, !FileManager.default.fileExists(atPath: "\(path)/model_index.json"),
      let run = try TrainedRun(path)
    else { return self }
    guard let whole = run.model else { throw NoWholeModel(path: path, weights: run.weights) }
    var resolved = self
    resolved.model = whole
    if run.isTransformer {
      resolved.transformer = transformer ?? run.weights
    } else {
      resolved.transformer = transformer ?? run.targetEmbedder
      resolved.lora.insert(LoRAUse(run.weights), at: 0)
    }
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
