import Files
import Foundation
import Models

/// A model in a folder as diffusers saves it: `model_index.json`, and a folder for each component.
///
/// A component may also be that of another model, or a model of its own: then its entry in the index has a
/// third element as those of diffusers' modular pipelines, `{"pretrained_model_name_or_path": NAME,
/// "subfolder": FOLDER}`, with a name for `ModelLibrary` or a path.
public struct ModelFolder: Sendable {
  /// The path of the folder.
  public let path: String
  /// The class of the pipeline.
  public let className: String
  /// The classes of the components by their names; components that the model does without are absent.
  public let classes: [String: String]

  /// The components that are elsewhere.
  let places: [String: ComponentPlace]
  /// The names of a class-conditional model's classes by their numbers, `id2label` in the index; empty for
  /// none.
  package let classNames: [Int: String]

  static let index = "model_index.json"
  /// The key of the index with the names of classes, as in diffusers' `DiTPipeline`.
  static let labelsKey = "id2label"

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
    var places: [String: ComponentPlace] = [:]
    for (name, value) in json where !name.hasPrefix("_") {
      // A pair of library and class; null for components that a model does without.
      guard let entry = value as? [Any], (2...3).contains(entry.count),
        let type = entry[1] as? String
      else { continue }
      classes[name] = type
      if entry.count == 3 {
        guard let place = ComponentPlace(entry[2]) else {
          throw PipelineError.wrongIndex(
            path: file, reason: "the place of its `\(name)` has no `\(ComponentPlace.nameKey)`")
        }
        places[name] = place
      }
    }
    // Published checkpoints of OpenUni hold the connector beside the transformer.
    if name == PipelineKind.openUni.className, classes[Self.connector] == nil,
      classes["transformer"] != nil
    {
      classes[Self.connector] = OpenUniConnectorConfig.className
      places[Self.connector] =
        places["transformer"]
        ?? ComponentPlace(Self.absolute(path), subfolder: "transformer")
    }
    (self.classes, self.places) = (classes, places)
    let labels = json[Self.labelsKey] as? [String: String] ?? [:]
    classNames = Dictionary(labels.compactMap { key, name in Int(key).map { ($0, name) } }) {
      first, _ in first
    }
  }

  init(
    path: String, className: String, classes: [String: String], places: [String: ComponentPlace]
  ) {
    (self.path, self.className, classNames) = (path, className, [:])
    (self.classes, self.places) = (classes, places)
  }

  /// The same model with a component from elsewhere.
  func placing(_ type: String, _ component: String, in place: ComponentPlace) -> ModelFolder {
    ModelFolder(
      path: path, className: className, classes: classes.merging([component: type]) { $1 },
      places: places.merging([component: place]) { $1 })
  }

  /// Whether the index names a component.
  package func names(_ component: String) -> Bool { classes[component] != nil }

  /// The folder of a component.
  ///
  /// - Throws: `PipelineError.wrongIndex` where the index does not name it, `noComponent` where the
  ///   folder is missing, and the errors of `ModelLibrary.path`.
  public func folder(_ component: String) throws -> String {
    guard classes[component] != nil else {
      throw PipelineError.wrongIndex(
        path: "\(path)/\(Self.index)", reason: "it names no `\(component)`")
    }
    let folder = try places[component]?.folder ?? "\(path)/\(component)"
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
