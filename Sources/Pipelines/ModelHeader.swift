import Files
import Foundation
import Layers
import Models
import Recipe
import Runtime
import Tensors
import Weights

/// A file of weights whose description has been read, and no weight yet.
package struct ModelHeader {
  package let path: String
  package let file: WeightFiles
  package let card: ModelFile.Card

  /// Opens a file.
  ///
  /// - Throws: as `ModelFile.init`.
  package init(_ path: String) throws {
    self.path = path
    file = try WeightFiles(path: path)
    guard let json = file.metadata[ModelFile.key] else { throw PipelineError.noModel(path: path) }
    do {
      // JSON is YAML; the reader of recipes says best what is wrong.
      card = try RecipeDecoder.decode(yaml: json, file: ModelFile.key)
    } catch {
      throw PipelineError.unreadableCard(path: path, reason: "\(error)")
    }
  }

  /// Whether files name their network.
  package static func describes(_ file: WeightFiles) -> Bool {
    file.metadata[ModelFile.key] != nil
  }

  /// The parameters that the file holds: those of the network, or only those of LoRA.
  var specs: Named<ParameterSpec> {
    guard let lora = card.lora?.lora else { return card.model.weights }
    return card.model.weights(with: lora).filter(lora.trains)
  }

  package var names: NameMap {
    card.lora == nil ? card.model.names(among: file.types.names) : card.model.loraNames
  }

  /// How the parameters are kept that are loaded as they are stored.
  package func storedTypes() throws -> Named<WeightStorage> {
    try WeightLoader.storage(specs, in: file, names: names)
  }

  /// Loads the parameters.
  ///
  /// - Parameters:
  ///   - storage: how a parameter is to be kept; nil leaves it as it is stored.
  ///   - allowsOverflow: whether numbers beyond that type's range become infinite.
  package func weights(
    on engine: Engine, allowsOverflow: Bool = false, as storage: (String) -> WeightStorage?
  ) throws -> Named<ShardedArray> {
    try WeightLoader(engine.client, mesh: engine.mesh)
      .load(specs, from: file, names: names, allowsOverflow: allowsOverflow, as: storage)
  }

  /// The weights that LoRA was trained with, at their path or beside this file.
  ///
  /// - Throws: `PipelineError.otherBase` where neither has their content.
  func base(_ lora: LoRACard) throws -> ModelHeader {
    let folder = (path as NSString).deletingLastPathComponent
    let beside = (lora.base as NSString).lastPathComponent
    let places = [lora.base, folder.isEmpty ? beside : "\(folder)/\(beside)"]
    for place in places where WeightFiles.exist(at: place) {
      if try WeightFiles.contentHash(place) == lora.content { return try ModelHeader(place) }
    }
    throw PipelineError.otherBase(path: path, places: places)
  }
}
