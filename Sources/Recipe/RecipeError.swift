import Files
/// A place in a recipe.
public struct RecipePlace: Equatable, Sendable {
  /// The file's name, or the override of the command line that set the value.
  public let source: String
  /// The line, from 1, where the source is a file.
  public let line: Int?
  /// The column, from 1, where the source is a file.
  public let column: Int?
  /// The path of keys, as in `method.order` or `layers[2].width`; empty at the top level.
  public let path: String

  /// Makes a place.
  public init(source: String, line: Int? = nil, column: Int? = nil, path: String = "") {
    self.source = source
    self.line = line
    self.column = column
    self.path = path
  }
}

/// An error in a recipe, a YAML file that is decoded into a Swift type.
public enum RecipeError: Error, Equatable, Sendable {
  /// The file could not be read as text.
  case unreadable(file: String, reason: String)
  /// The file is empty.
  case empty(file: String)
  /// The text is not YAML.
  case malformed(RecipePlace, problem: String)
  /// A mapping has a key more than once; the place is the first of them.
  case duplicateKey(RecipePlace, key: String)
  /// A key is unknown; `valid` are the keys of its group.
  case unknownKey(RecipePlace, key: String, valid: [String])
  /// A key is one of groups with another `kind`; `example` is such a group where it needs no other key.
  case keyOfOthers(
    RecipePlace, key: String, kind: String, others: [String], example: String?, valid: [String])
  /// A key without a default is absent; `similar` is an unknown key of the file.
  case missingKey(RecipePlace, key: String, similar: String?)
  /// A key had this name in an earlier version.
  case renamedKey(RecipePlace, key: String, new: String)
  /// A value has another type than expected.
  case wrongType(RecipePlace, found: String, expected: String)
  /// A text is not one of the valid ones.
  case unknownValue(RecipePlace, found: String, valid: [String])
  /// A value has the right type but is not valid.
  case invalid(RecipePlace, found: String, reason: String)
  /// An override cannot be applied; `origin` is its source, `--set` for the command line.
  case badSetting(origin: String, text: String, reason: String)
}

extension RecipePlace: CustomStringConvertible {
  /// The source with line and column, in the form that editors can open: `recipe.yaml:12:8`.
  public var description: String {
    [source, line.map(String.init), column.map(String.init)].compactMap { $0 }
      .joined(separator: ":")
  }

  var subject: String { path.isEmpty ? "the top level" : "`\(path)`" }
  var scope: String { path.isEmpty ? "at the top level" : "in `\(path)`" }
}

extension RecipeError: CustomStringConvertible {
  /// What was found, what was expected, and what to do.
  public var description: String {
    switch self {
    case .unreadable(let file, let reason):
      return "\(file): the recipe cannot be read: \(reason)"
    case .empty(let file):
      return "\(file): the recipe is empty: a mapping of keys to values was expected"
    case .malformed(let place, let problem):
      return "\(place): this is not valid YAML: \(problem)"
    case .duplicateKey(let place, let key):
      return "\(place): the key `\(key)` is given more than once: keep one"
    case .unknownKey(let place, let key, let valid):
      let hint = nearestName(to: key, among: valid).map { ": did you mean `\($0)`?" } ?? ":"
      return "\(place): unknown key `\(key)` \(place.scope)\(hint) \(listed(valid))"
    case .keyOfOthers(let place, let key, let kind, let others, let example, let valid):
      let others = alternatives(others) + (example.map { ", as in \($0)" } ?? "")
      return "\(place): `\(key)` \(place.scope) is no key of \(kind): leave it out, or take "
        + "\(others). \(listed(valid))"
    case .missingKey(let place, let key, let similar):
      let hint = similar.map { "; `\($0)` is no key here: did you mean `\(key)`?" } ?? ": add it"
      return "\(place): the key `\(key)` is missing \(place.scope)\(hint)"
    case .renamedKey(let place, let key, let new):
      return "\(place): `\(key)` \(place.scope) is now `\(new)`: write that"
    case .wrongType(let place, let found, let expected):
      return "\(place): \(place.subject) is \(found): \(expected) was expected"
    case .unknownValue(let place, let found, let valid):
      let hint = nearestName(to: found, among: valid).map { ": did you mean \"\($0)\"?" } ?? ":"
      let names = valid.map { "\"\($0)\"" }.joined(separator: ", ")
      return "\(place): \(place.subject) is \"\(found)\"\(hint) Valid values: \(names)"
    case .invalid(let place, let found, let reason):
      return "\(place): \(place.subject) is \(found): \(reason)"
    case .badSetting(let origin, let text, let reason):
      return "\(origin) \(text): \(reason)"
    }
  }

  private func listed(_ keys: [String]) -> String {
    "Valid keys: " + (keys.isEmpty ? "none" : keys.map { "`\($0)`" }.joined(separator: ", "))
  }
}
