import Files
import Foundation
import Models
import Recipe
import Runtime
import Tensors

/// The folder of a transformer as diffusers saves it: `config.json`, and the weights in one file, or in
/// several with an index.
package struct TransformerFolder {
  private let path: String

  /// Names a folder.
  package init(_ path: String) { self.path = path }

  /// The file of the weights, or the whole that their index describes.
  package var weights: String { "\(path)/diffusion_pytorch_model.safetensors" }

  /// Writes a published network's weights, each file atomically, the config last.
  ///
  /// - Parameters: see `ModelFile.write`.
  /// - Throws: `FileError.unwritable`, and the errors of `ModelFile.write`.
  package func write(
    _ weights: Named<ShardedArray>, card: ModelFile.Card, as dtype: DType,
    largest: Int = 5 << 30, stamp: String, on engine: Engine
  ) throws {
    guard let config = card.model.architecture as? any PublishedTransformer else {
      preconditionFailure("a \(card.model.kind) is not saved in a folder")
    }
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileError.unwritable(path: path, reason: error.localizedDescription)
    }
    try ModelFile.write(
      weights, card: card, to: self.weights, as: dtype, largest: largest, stamp: stamp, on: engine)
    guard (engine.group?.rank ?? 0) == 0 else { return }
    try JSONFile.write(config, to: "\(path)/config.json")
  }
}
