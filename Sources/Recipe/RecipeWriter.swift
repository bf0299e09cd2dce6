import Yams

/// Writes recipes with one field per line and a comment after it.
public enum RecipeWriter {
  /// A recipe as YAML with the meaning of every key after it.
  ///
  /// - Parameter heading: a comment above everything.
  public static func text(
    _ recipe: some Encodable & DocumentedKeys, heading: String
  ) throws -> String {
    let notes = RecipeNote.byPath(recipe.notes)
    return try text(recipe, heading: heading) { notes[$0]?.meaning }
  }

  /// A recipe as YAML without comments.
  public static func plainText(_ recipe: some Encodable) throws -> String {
    try text(recipe, heading: "") { _ in nil }
  }

  /// A value as YAML, in the order in which it encodes its fields. Groups at the top are written
  /// field by field, deeper groups in one line.
  ///
  /// - Parameters:
  ///   - heading: a comment above everything.
  ///   - comment: the comment on a field, by its keys joined by dots.
  static func text(
    _ value: some Encodable, heading: String, comment: (String) -> String?
  ) throws -> String {
    var lines = heading.split(separator: "\n").map { "# \($0)" }
    guard let mapping = try YAMLTree.compose(YAMLEncoder().encode(value))?.mapping else {
      preconditionFailure("a recipe is a mapping")
    }
    func line(_ key: String, _ value: String, _ path: String, indent: Int) {
      let start =
        String(repeating: " ", count: indent) + "\(key):\(value.isEmpty ? "" : " ")\(value)"
      let space = String(repeating: " ", count: max(2, 34 - start.count))
      lines.append(start + (comment(path).map { "\(space)# \($0)" } ?? ""))
    }
    for (key, value) in mapping {
      let name = key.string ?? ""
      guard let group = value.mapping else {
        line(name, flow(value), name, indent: 0)
        continue
      }
      line(name, "", name, indent: 0)
      for (key, value) in group {
        let field = key.string ?? ""
        line(field, flow(value), "\(name).\(field)", indent: 2)
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// A value as YAML in one line.
  public static func line(_ value: some Encodable) throws -> String {
    guard let node = try YAMLTree.compose(YAMLEncoder().encode(value)) else { return "null" }
    return flow(node)
  }

  /// A node in one line; `isInner` where it is within brackets.
  private static func flow(_ node: Node, isInner: Bool = false, isKey: Bool = false) -> String {
    switch node {
    case .scalar(let scalar):
      let text = scalar.string
      // Within brackets these characters end a text without quotes.
      let isCut = isInner && text.contains { ",[]{}".contains($0) }
      if scalar.isPlain, !text.isEmpty, !isCut { return isKey ? text : plain(text) }
      let isLine = text.unicodeScalars.allSatisfy {
        $0 == " "
          || $0.value > 0x20 && !(0x7F...0x9F).contains($0.value)
            && !$0.properties.isWhitespace
      }
      return isLine ? "'" + text.replacing("'", with: "''") + "'" : yamlQuoted(text)
    case .mapping(let mapping):
      let pairs = mapping.map {
        "\(flow($0.key, isInner: true, isKey: true)): \(flow($0.value, isInner: true))"
      }
      return "{" + pairs.joined(separator: ", ") + "}"
    case .sequence(let sequence):
      return "[" + sequence.map { flow($0, isInner: true) }.joined(separator: ", ") + "]"
    case .alias: preconditionFailure("what is encoded has no aliases")
    }
  }

  /// A number, without an exponent unless it is large or small.
  private static func plain(_ text: String) -> String {
    // A text that reads as a number has quotes.
    guard Yams.Resolver.default.resolveTag(of: Node(text)) == .float, text.contains("e"),
      let number = Double(text)
    else { return text }
    if number == number.rounded(), abs(number) < 1e6 { return "\(Int(number))" }
    let short = "\(number)"
    return abs(number) >= 1e-3 && abs(number) < 1e6 || short.count < text.count ? short : text
  }
}
