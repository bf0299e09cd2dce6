/// A value in a recipe whose keys are documented.
public protocol DocumentedKeys {
  /// The keys of this value.
  var notes: [RecipeNote] { get }

  /// All keys of the type, for the reference.
  static var tables: [RecipeTable] { get }
}

/// The documentation of one key in a recipe.
public struct RecipeNote: Sendable {
  /// The key.
  public let key: String
  /// Its meaning, in one line.
  public let meaning: String
  /// The runs between which its value may differ.
  public var freedom = RecipeFreedom.none
  /// The keys inside its value.
  public var inner: [RecipeNote] = []

  /// The notes of some keys and of those inside, by keys joined by dots.
  static func byPath(_ notes: [RecipeNote], under prefix: String = "") -> [String: RecipeNote] {
    notes.reduce(into: [:]) { all, note in
      all[prefix + note.key] = note
      all.merge(byPath(note.inner, under: "\(prefix)\(note.key).")) { $1 }
    }
  }
}

extension DocumentedKeys {
  /// The keys, joined by dots, whose values may differ between two runs.
  public func paths(free freedom: RecipeFreedom) -> Set<String> {
    Set(RecipeNote.byPath(notes).filter { $0.value.freedom >= freedom }.keys)
  }
}

extension RecipeGroup {
  /// The keys that are part of this group, with those inside their values.
  public var notes: [RecipeNote] {
    Self.fields.filter { $0.isPart(of: self) }.map { field in
      let value = field.value(self) as? any DocumentedKeys
      return RecipeNote(
        key: field.name, meaning: field.meaning, freedom: field.freedom, inner: value?.notes ?? [])
    }
  }
}
