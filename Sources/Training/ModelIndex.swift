import Models
import Pipelines

extension TrainingRecipe {
  /// Whether the run's folder is a model as a whole, so that it needs no other folder to generate: with a
  /// network that only this program trains. Published models keep their own folders.
  public var isModel: Bool { lora == nil && model.architecture is TextDiTConfig }

  /// Writes `model_index.json` into a folder with `transformer`, where that makes it a model.
  ///
  /// - Throws: the errors of `encodersFolder`, and `FileError.unwritable`.
  func writeModelIndex(in folder: String) throws {
    guard isModel, let network = generatingModel.architecture as? TextDiTConfig else { return }
    try encodersFolder().writeIndex(of: network, in: folder)
  }
}
