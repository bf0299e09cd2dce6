import Files
import Foundation
import Models

extension ModelFolder {
  /// The parts of a model besides its transformer: a model's folder, for a `TextDiT` also the folder of a
  /// text encoder alone, with its tokenizer, and for a `SiT` that of an autoencoder alone.
  ///
  /// - Parameter name: a path, or a name for `ModelLibrary`.
  /// - Throws: `PipelineError`.
  package init(encoders name: String) throws {
    let path = try ModelLibrary().path(of: name)
    let manager = FileManager.default
    let index = "\(path)/\(Self.index)"
    let config = "\(path)/config.json"
    // A name is kept, so that what is trained can be used elsewhere.
    let place = ComponentPlace(path == name ? Self.absolute(path) : name)
    guard !manager.fileExists(atPath: index), let kind = try? NetworkKind(config) else {
      try self.init(path)
      return
    }
    if let name = kind.className, ImageAutoencoders.classNames.contains(name) {
      self.init(
        path: path, className: PipelineKind.siT.className, classes: ["vae": name],
        places: ["vae": place])
      return
    }
    guard kind.modelType != nil else {
      try self.init(path)
      return
    }
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
  ///   - labels: the names of the classes; empty for those of this model.
  ///   - folder: the folder of the index.
  /// - Throws: `FileError.unwritable`.
  package func writeIndex(
    of network: any PublishedTransformer, labels: [String] = [], in folder: String
  ) throws {
    var index: [String: Any] = [
      "_class_name": className, "transformer": ["twinflow", type(of: network).className],
    ]
    for (name, type) in classes where name != "transformer" {
      let place = places[name] ?? ComponentPlace(Self.absolute(path), subfolder: name)
      index[name] = [name == "vae" ? "diffusers" : "transformers", type, place.json]
    }
    let names =
      labels.isEmpty
      ? classNames : Dictionary(uniqueKeysWithValues: labels.enumerated().map { ($0, $1) })
    if !names.isEmpty {
      index[Self.labelsKey] = Dictionary(
        uniqueKeysWithValues: names.map { ("\($0.key)", $0.value) })
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
