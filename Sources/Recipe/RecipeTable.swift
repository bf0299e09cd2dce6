/// The keys of one group in the reference.
public struct RecipeTable: Sendable {
  /// The path of keys to the group.
  public var path: [String] = []
  /// The condition for the group, as in "kind: `dit`".
  public var condition: String?
  /// The description of the group.
  public var summary = ""
  /// The keys.
  public var rows: [Row]

  /// The documentation of a key.
  public struct Row: Sendable {
    /// The key.
    public let key: String
    /// Its valid values.
    public let value: String
    /// Its default.
    public let standard: String
    /// Its meaning.
    public let meaning: String

    /// Makes a row.
    public init(key: String, value: String, standard: String, meaning: String) {
      (self.key, self.value, self.standard, self.meaning) = (key, value, standard, meaning)
    }
  }
}

extension RecipeGroup {
  /// The tables of the group and of nested groups.
  public static var tables: [RecipeTable] {
    let own = RecipeTable(summary: summary, rows: fields.map(\.row))
    return [own]
      + fields.flatMap { field in
        let (documented, isList) = documentedType(field.valueType)
        return (documented?.tables ?? []).map { table in
          var table = table
          table.path.insert(field.name + (isList ? "[]" : ""), at: 0)
          return table
        }
      }
  }
}

/// The group that a value is, is a list of, or may be; and whether it is a list.
private func documentedType(_ type: Any.Type) -> ((any DocumentedKeys.Type)?, isList: Bool) {
  if let list = type as? any ListValue.Type { return (documentedType(list.element).0, true) }
  if let optional = type as? any OptionalValue.Type { return documentedType(optional.wrapped) }
  return (type as? any DocumentedKeys.Type, false)
}

extension RecipeField {
  fileprivate var row: RecipeTable.Row {
    let valid = condition.map { $0.hasPrefix("it must be ") ? String($0.dropFirst(11)) : $0 }
    let values = [form ?? valueForm(of: valueType), valid].compactMap { $0 }
    let place = presence.map { "with \($0.words): " } ?? ""
    let note = freedom == .none ? "" : " (may differ at `--resume`)"
    return RecipeTable.Row(
      key: name, value: short(values.joined(separator: ", ")), standard: standardText,
      meaning: place + meaning + note)
  }

  private var standardText: String {
    if isRequired { return "required" }
    if let standard { return standard.words }
    let value: Any = value(Group.defaults)
    if (value as? any OptionalValue)?.isNil == true { return "none" }
    guard let value = value as? any Encodable, let text = try? RecipeWriter.line(value) else {
      return ""
    }
    return "`\(text)`"
  }

  /// Integral numbers without a fraction.
  private func short(_ text: String) -> String {
    text.replacing(#/([0-9])\.0(?![0-9])/#) { "\($0.1)" }
  }
}
