import Foundation
import Recipe

/// Which columns of a table, or keys of its rows, hold the prompts and the pictures.
public struct TextColumns: Hashable, Sendable {
  /// The column of the prompts; nil for the first of the usual ones that is there.
  public var text: String?
  /// The column of the pictures; nil for the first of the usual ones that is there.
  public var image: String?

  /// The usual names of columns of prompts.
  static let texts = ["text", "caption", "prompt"]

  /// The usual name of the column of classes.
  static let label = "label"
  /// The ending of files with classes, in the convention of WebDataset.
  static let classFile = "cls"

  /// The prompts of a row, without blank ones.
  func prompts(_ row: [String: [String]]) -> [String] {
    let names = text.map { [$0] } ?? Self.texts
    return Self.prompts(names.lazy.compactMap { row[$0] }.first ?? [])
  }

  /// Texts without blanks at their ends, and without blank ones.
  static func prompts(_ texts: [String]) -> [String] {
    texts.map { $0.trimmingCharacters(in: .whitespacesAndNewlines) }.filter { !$0.isEmpty }
  }

  /// The names of the column of prompts, for messages.
  var textNames: String { text ?? Self.texts.joined(separator: ", ") }

  /// The key that names the column of prompts.
  static func text<Group: RecipeGroup>(
    _ path: WritableKeyPath<Group, String?> & Sendable
  ) -> RecipeField<Group> {
    RecipeField(
      "text", path,
      "column of the prompts; by default the first of text, caption and prompt, or label for networks that "
        + "take classes")
  }

  /// The key that names the column of pictures.
  static func image<Group: RecipeGroup>(
    _ path: WritableKeyPath<Group, String?> & Sendable, _ usual: String
  ) -> RecipeField<Group> {
    RecipeField("image", path, "column of the pictures; by default \(usual)")
  }
}
