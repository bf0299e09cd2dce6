import Files
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
  /// - Throws: the errors of `ModelOfRun`.
  func resolvingRun() throws -> ModelOptions {
    guard let run = try model.flatMap({ try ModelOfRun($0) }) else { return self }
    var resolved = self
    resolved.model = run.model
    resolved.transformer = transformer ?? run.transformer
    resolved.connector = connector ?? run.connector
    if let lora = run.lora { resolved.lora.insert(lora, at: 0) }
    return resolved
  }
}
