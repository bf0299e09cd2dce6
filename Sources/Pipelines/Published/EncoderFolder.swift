import Files
import Foundation
import Models

extension ModelFolder {
  /// The model whose encoders prepare the data of a training: a model's folder, or for a `TextDiT` also
  /// the folder of a text encoder alone, with its tokenizer.
  ///
  /// - Parameter name: a path, or a name for `ModelLibrary`.
  /// - Throws: `PipelineError`.
  package init(encoders name: String) throws {
    let path = try ModelLibrary().path(of: name)
    let manager = FileManager.default
    let index = "\(path)/\(Self.index)"
    guard !manager.fileExists(atPath: index),
      let kind = try? NetworkKind("\(path)/config.json"), kind.modelType != nil
    else {
      try self.init(path)
      return
    }
    // A name is kept, so that what is trained can be used elsewhere.
    let place = ComponentPlace(path == name ? Self.absolute(path) : name)
    self.init(
      path: path, className: PipelineKind.textDiT.className,
      classes: ["text_encoder": "AutoModel", "tokenizer": "AutoTokenizer"],
      places: ["text_encoder": place, "tokenizer": place])
  }

  /// Writes the index of a model whose transformer is the folder `transformer` beside it, and whose
  /// other components are those of this model, wherever they are.
  ///
  /// - Parameters:
  ///   - network: the transformer.
  ///   - folder: the folder of the index.
  /// - Throws: `FileError.unwritable`.
  package func writeIndex(of network: any PublishedTransformer, in folder: String) throws {
    var index: [String: Any] = [
      "_class_name": className, "transformer": ["twinflow", type(of: network).className],
    ]
    for (name, type) in classes where name != "transformer" {
      let place = places[name] ?? ComponentPlace(Self.absolute(path), subfolder: name)
      index[name] = ["transformers", type, place.json]
    }
    let json = try JSONSerialization.data(
      withJSONObject: index, options: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted])
    let file = "\(folder)/\(Self.index)"
    do {
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError.unwritable(path: folder, reason: error.localizedDescription)
    }
    try StagedFile.write(json, to: file, as: .json)
  }

  static func absolute(_ path: String) -> String {
    URL(fileURLWithPath: path).standardizedFileURL.path
  }
}
