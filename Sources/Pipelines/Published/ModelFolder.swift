import Files
import Foundation

/// A model in a folder as diffusers saves it: `model_index.json`, and a folder for each component.
public struct ModelFolder: Sendable {
  /// The path of the folder.
  public let path: String
  /// The class of the pipeline.
  public let className: String
  /// The classes of the components by their names; components that the model does without are absent.
  public let classes: [String: String]

  static let index = "model_index.json"

  /// Reads the index of a folder.
  ///
  /// - Throws: `PipelineError.noPipeline` for a folder without an index, and `wrongIndex` for a damaged
  ///   one.
  public init(_ path: String) throws {
    self.path = path
    let file = "\(path)/\(Self.index)"
    guard let data = FileManager.default.contents(atPath: file) else {
      throw PipelineError.noPipeline(path: path, found: Self.content(of: path))
    }
    guard let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
      throw PipelineError.wrongIndex(path: file, reason: "it is not a JSON object")
    }
    guard let name = json["_class_name"] as? String else {
      throw PipelineError.wrongIndex(path: file, reason: "it has no `_class_name`")
    }
    className = name
    var classes: [String: String] = [:]
    for (name, value) in json where !name.hasPrefix("_") {
      // A pair of library and class; null for components that a model does without.
      guard let pair = value as? [Any], pair.count == 2, let type = pair[1] as? String else {
        continue
      }
      classes[name] = type
    }
    self.classes = classes
  }

  /// The folder of a component.
  ///
  /// - Throws: `PipelineError.wrongIndex` where the index does not name it, `noComponent` where the
  ///   folder is missing.
  public func folder(_ component: String) throws -> String {
    guard classes[component] != nil else {
      throw PipelineError.wrongIndex(
        path: "\(path)/\(Self.index)", reason: "it names no `\(component)`")
    }
    let folder = "\(path)/\(component)"
    guard FileManager.default.fileExists(atPath: folder) else {
      throw PipelineError.noComponent(path: path, component: component)
    }
    return folder
  }

  /// What a folder holds instead of a model, in words.
  private static func content(of path: String) -> String {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      return "it does not exist"
    }
    guard isFolder.boolValue else { return "it is a file" }
    let names = ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
    guard !names.isEmpty else { return "it is empty" }
    let shown = names.prefix(5).joined(separator: ", ")
    return "it holds \(shown)" + (names.count > 5 ? " and \(names.count - 5) more" : "")
  }
}
