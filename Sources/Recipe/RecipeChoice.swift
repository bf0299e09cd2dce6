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

  /// Refuses keys that only groups of other kinds have.
  ///
  /// - Parameter kind: the kind that the recipe names.
  /// - Throws: `RecipeError.keyOfOthers` for the first such key.
  public static func refuseKeysOfOthers(than kind: String, from decoder: any Decoder) throws {
    guard let node = decoder as? RecipeNode else { return }
    let groups = List.entries.compactMap { name, entry in
      (entry as? any RecipeGroup.Type).map { (name, $0) }
    }
    guard let own = groups.first(where: { $0.0 == kind })?.1 else { return }
    let valid = choices.map(\.key) + own.keys
    try node.refuse { key in
      guard !valid.contains(key), own.oldNames[key] == nil else { return nil }
      let others = groups.filter { $0.1.keys.contains(key) }
      guard let (first, group) = others.first else { return nil }
      let example = group.example(of: key).map { "{kind: \(first), \(key): \($0)}" }
      return { place in
        .keyOfOthers(
          place, key: key, kind: kind, others: others.map(\.0), example: example, valid: valid)
      }
    }
  }

  /// The row of `kind`.
  public static var kindRow: RecipeTable.Row {
    let names = List.entries.map { "`\($0.name)`" }
    return RecipeTable.Row(
      key: "kind", value: alternatives(names, all: true), standard: "required",
      meaning: "which one; its keys stand beside `kind`")
  }

  /// `kind`, and the keys of the group.
  public var notes: [RecipeNote] {
    [RecipeNote(key: "kind", meaning: alternatives(List.entries.map(\.name)))] + group.notes
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
      inner[0].condition = "kind: " + alternatives(names[ObjectIdentifier(group)]!, all: true)
      tables += inner
    }
    return tables
  }
}

/// Names in a sentence with "or"; only the first ones of many.
func alternatives(_ names: [String], all: Bool = false) -> String {
  let most = 4
  if !all, names.count > most { return names.prefix(most).joined(separator: ", ") + ", …" }
  guard let last = names.last, names.count > 1 else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " or " + last
}
