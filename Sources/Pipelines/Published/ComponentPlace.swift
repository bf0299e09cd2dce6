import Foundation

/// The place of a component that is not in the folder of its model.
struct ComponentPlace: Hashable, Sendable {
  /// A name for `ModelLibrary`, or a path.
  let name: String
  /// The folder in that model, empty for the model itself.
  let subfolder: String

  static let (nameKey, subfolderKey) = ("pretrained_model_name_or_path", "subfolder")

  init(_ name: String, subfolder: String = "") { (self.name, self.subfolder) = (name, subfolder) }

  /// Reads the third element of a component in a model's index; nil where it names no place.
  init?(_ json: Any) {
    guard let keys = json as? [String: Any], let name = keys[Self.nameKey] as? String,
      !name.isEmpty
    else { return nil }
    self.init(name, subfolder: keys[Self.subfolderKey] as? String ?? "")
  }

  /// The form in which it is read.
  var json: [String: String] { [Self.nameKey: name, Self.subfolderKey: subfolder] }

  /// The folder.
  ///
  /// - Throws: the errors of `ModelLibrary.path`.
  var folder: String {
    get throws {
      let model = try ModelLibrary().path(of: name)
      return subfolder.isEmpty ? model : "\(model)/\(subfolder)"
    }
  }
}
