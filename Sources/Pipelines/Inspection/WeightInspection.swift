import Files
import Foundation
import Models
import Weights

/// What a folder or file of weights holds, found without reading a weight: components, element types,
/// conventions of names, and the bytes that it takes on a device.
public struct WeightInspection: Sendable {
  /// What was inspected, in words.
  public let kind: String
  /// The networks.
  public let components: [InspectedComponent]
  /// What beside the networks is in the folder, such as tokenizers.
  public let others: [String]

  /// Inspects a diffusers folder, the folder of one network, or a file of weights.
  ///
  /// - Throws: `FileError.unreadable`, and `WeightsError` for a file that is damaged or of another format.
  public init(_ path: String) throws {
    var isFolder: ObjCBool = false
    let isThere = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard isThere, isFolder.boolValue else {
      let files = try WeightFiles(path: path)
      kind =
        files.isOfTorch
        ? "a file of PyTorch" : files.path.hasSuffix(".gguf") ? "a GGUF file" : "a safetensors file"
      (components, others) = ([try InspectedComponent(files, config: nil)], [])
      return
    }
    let index = path + "/" + PipelineFolder.index
    guard FileManager.default.fileExists(atPath: index) else {
      kind = "the folder of one network"
      let config = path + "/" + PipelineFolder.config
      (components, others) = ([try InspectedComponent(WeightFiles(path: path), config: config)], [])
      return
    }
    let folder = try PipelineFolder(path)
    kind = "a diffusers folder" + (folder.pipeline.map { " of \($0)" } ?? "")
    components = try folder.networks.map { name in
      let place = "\(path)/\(name)"
      return try InspectedComponent(
        WeightFiles(path: place), name: name, config: "\(place)/\(PipelineFolder.config)")
    }
    others = folder.others + folder.elsewhere
  }
}

/// The parts of a diffusers folder.
struct PipelineFolder {
  static let (index, config) = ("model_index.json", "config.json")

  /// The class of the pipeline.
  let pipeline: String?
  /// The parts that hold weights.
  let networks: [String]
  /// The other parts.
  let others: [String]
  /// The parts that are elsewhere, with their places.
  let elsewhere: [String]

  /// Reads the index and looks which parts hold weights.
  ///
  /// - Throws: `FileError.unreadable` for an invalid index, and for a part that is not there.
  init(_ path: String) throws {
    let place = "\(path)/\(Self.index)"
    let file = try MappedFile(place)
    let json = withExtendedLifetime(file) {
      try? JSONSerialization.jsonObject(with: Data(file.bytes)) as? [String: Any]
    }
    guard let json else { throw FileError.unreadable(path: place, reason: "it is no JSON object") }
    pipeline = json["_class_name"] as? String
    var elsewhere: [String] = []
    // Null classes stand for parts that a pipeline does without.
    let parts = json.filter { !$0.key.hasPrefix("_") }.compactMap { name, value -> String? in
      guard let classes = value as? [Any], classes.contains(where: { $0 is String }) else {
        return nil
      }
      guard let place = classes.last.flatMap({ ComponentPlace($0) }) else { return name }
      elsewhere.append("\(name) (\(place.name))")
      return nil
    }.sorted()
    var (networks, others): ([String], [String]) = ([], [])
    for name in parts where !["feature_extractor", "safety_checker"].contains(name) {
      let folder = "\(path)/\(name)"
      guard FileManager.default.fileExists(atPath: folder) else {
        throw FileError.unreadable(
          path: folder, reason: "\(Self.index) names it, and it is not there: download it too")
      }
      let names = try namesInFolder(folder)
      let isNetwork = names.contains { name in
        (WeightFiles.endings + [".safetensors.index.json"]).contains(where: name.hasSuffix)
      }
      if isNetwork { networks.append(name) } else { others.append(name) }
    }
    (self.networks, self.others, self.elsewhere) = (networks, others, elsewhere.sorted())
  }
}
