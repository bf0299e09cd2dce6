import Foundation
import Pipelines
import Runtime

/// The whole model that a run has trained a network of.
public struct ModelOfRun: Sendable {
  /// The model's folder, or its name.
  public let model: String
  /// The transformer that takes the place of the model's, nil for its own.
  public let transformer: String?
  /// The connector that takes the place of the model's, see `TrainedRun.connector`.
  public let connector: String?
  /// The LoRA that was trained, nil for none.
  public let lora: LoRAUse?

  /// The model of the run, or of the checkpoint, whose folder is at a path; nil for anything else, and for
  /// the folder of a whole model.
  ///
  /// - Throws: `TrainingError.noWholeModel`, and the errors of reading a checkpoint.
  public init?(_ path: String) throws {
    guard !FileManager.default.fileExists(atPath: "\(path)/model_index.json"),
      let run = try TrainedRun(path)
    else { return nil }
    guard let model = run.model else {
      throw TrainingError.noWholeModel(path: path, weights: run.weights)
    }
    self.model = model
    connector = try run.connector()
    (transformer, lora) =
      run.isTransformer ? (run.weights, nil) : (run.targetEmbedder, LoRAUse(run.weights))
  }

  /// Opens the model of the run, or of the checkpoint, whose folder is at a path, or the whole model that is
  /// there.
  ///
  /// - Throws: `TrainingError.noWholeModel`, and the errors of finding and opening a model.
  public static func pipeline(
    at path: String, _ options: ImagePipeline.Options, on engine: Engine,
    log: @escaping @Sendable (String) -> Void = { _ in }
  ) throws -> ImagePipeline {
    let run = try ModelOfRun(path)
    var replacements = ImagePipeline.Replacements()
    replacements.transformer = run?.transformer
    replacements.connector = run?.connector
    replacements.loras = [run?.lora].compactMap { $0 }
    return try ImagePipeline(
      ModelFolder(ModelLibrary().path(of: run?.model ?? path)), replacing: replacements, options,
      on: engine, log: log)
  }
}
