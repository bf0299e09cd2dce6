import Datasets
import Models
import Pipelines

extension TrainingRecipe {
  /// Whether the run's folder is a model as a whole, so that it needs no other folder to generate: with a
  /// network that only this program trains. Published models keep their own folders.
  public var isModel: Bool { ownNetwork != nil }

  /// The network whose folder is a model as a whole.
  private var ownNetwork: (any PublishedTransformer)? {
    let network = generatingModel.architecture as? any PublishedTransformer
    return lora == nil && network?.ownPipeline != nil ? network : nil
  }

  /// Writes `model_index.json` into a folder with `transformer`, where that makes it a model.
  ///
  /// - Throws: the errors of `encodersFolder`, and `FileError.unwritable`.
  func writeModelIndex(in folder: String) throws {
    guard let network = ownNetwork else { return }
    let labels = (data.dataSet as? ClassImageData)?.classNames ?? []
    try encodersFolder().writeIndex(of: network, labels: labels, in: folder)
  }
}
