import Files
import Foundation
import Recipe

extension TrainingRecipe {
  /// The first key in which another recipe differs, in words; nil where they are equal.
  ///
  /// - Parameters:
  ///   - freedom: which keys may differ, with all that is below them.
  ///   - exceptions: keys, joined by dots, that may not.
  func difference(
    from other: TrainingRecipe, ignoring freedom: RecipeFreedom, except exceptions: Set<String> = []
  ) throws -> String? {
    let ignored = paths(free: freedom).union(other.paths(free: freedom)).subtracting(exceptions)
    let (mine, theirs) = (try fields(), try other.fields())
    for key in Set(mine.keys).union(theirs.keys).sorted() where mine[key] != theirs[key] {
      let words = key.split(separator: ".")
      let above = words.indices.map { words[...$0].joined(separator: ".") }
      if above.contains(where: ignored.contains) { continue }
      return "its \(key) is \(mine[key] ?? "not set"), the recipe's \(theirs[key] ?? "not set")"
    }
    return nil
  }

  /// The values as text, by their keys joined by dots.
  private func fields() throws -> [String: String] {
    let json = try JSONFile.text(self)
    var fields: [String: String] = [:]
    func flatten(_ value: Any, _ path: String) {
      switch value {
      case let mapping as [String: Any]:
        for (key, value) in mapping { flatten(value, path.isEmpty ? key : "\(path).\(key)") }
      case let list as [Any]: fields[path] = "[\(list.map { "\($0)" }.joined(separator: ", "))]"
      default: fields[path] = "\(value)"
      }
    }
    flatten(try JSONSerialization.jsonObject(with: Data(json.utf8)), "")
    return fields
  }
}
