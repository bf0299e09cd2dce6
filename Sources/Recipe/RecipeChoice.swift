/// One of the groups of a catalogue, by its name under `kind` with its keys beside it.
public protocol RecipeChoice: DocumentedKeys, Codable, Sendable {
  /// The groups that can be named.
  associatedtype List: Catalogue

  /// The group's name.
  var kind: String { get }

  /// The group.
  var group: any RecipeGroup { get }

  /// The keys before those of the group, `kind` first.
  static var choices: [RecipeTable.Row] { get }
}

/// The key of a choice.
public enum RecipeChoiceKey: String, CodingKey {
  /// The name of the group.
  case kind
}

extension RecipeChoice {
  /// Writes `kind` and the keys of the group.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: RecipeChoiceKey.self)
    try keys.encode(kind, forKey: .kind)
    try group.encode(to: encoder)
  }

  /// Only `kind`.
  public static var choices: [RecipeTable.Row] { [kindRow] }

  /// The row of `kind`.
  public static var kindRow: RecipeTable.Row {
    let names = List.entries.map { "`\($0.name)`" }
    return RecipeTable.Row(
      key: "kind", value: listed(names, all: true), standard: "required",
      meaning: "which one; its keys stand beside `kind`")
  }

  /// `kind`, and the keys of the group.
  public var notes: [RecipeNote] {
    [RecipeNote(key: "kind", meaning: listed(List.entries.map(\.name)))] + group.notes
  }

  /// The keys of all groups.
  public static var tables: [RecipeTable] {
    var tables = [RecipeTable(rows: choices)]
    var names: [ObjectIdentifier: [String]] = [:]
    let groups = List.entries.compactMap { name, entry -> (any RecipeGroup.Type)? in
      guard let group = entry as? any RecipeGroup.Type else { return nil }
      names[ObjectIdentifier(group), default: []].append("`\(name)`")
      return names[ObjectIdentifier(group)]!.count == 1 ? group : nil
    }
    for group in groups {
      var inner = group.tables
      inner[0].condition = "kind: " + listed(names[ObjectIdentifier(group)]!, all: true)
      tables += inner
    }
    return tables
  }
}

/// Names in a sentence; only the first ones of many.
private func listed(_ names: [String], all: Bool = false) -> String {
  let most = 4
  if !all, names.count > most { return names.prefix(most).joined(separator: ", ") + ", …" }
  guard let last = names.last, names.count > 1 else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " or " + last
}
