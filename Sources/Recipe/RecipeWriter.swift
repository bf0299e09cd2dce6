import Yams

/// Writes recipes as people do: a field a line, with a comment behind it.
public enum RecipeWriter {
  /// A value as YAML, in the order in which it encodes its fields. Groups at the top are written
  /// field by field, what is deeper in one line.
  ///
  /// - Parameters:
  ///   - heading: a comment above everything.
  ///   - comment: what is said of a field, by its keys joined by dots.
  public static func text(
    _ value: some Encodable, heading: String, comment: (String) -> String?
  ) throws -> String {
    var lines = heading.split(separator: "\n").map { "# \($0)" }
    guard let mapping = try Yams.compose(yaml: YAMLEncoder().encode(value))?.mapping else {
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

  /// A node in one line.
  private static func flow(_ node: Node) -> String {
    switch node {
    case .scalar(let scalar):
      switch scalar.style {
      case .any, .plain: return scalar.string.isEmpty ? "''" : plain(scalar.string)
      default: return "'" + scalar.string.replacing("'", with: "''") + "'"
      }
    case .mapping(let mapping):
      return "{"
        + mapping.map { "\(flow($0.key)): \(flow($0.value))" }.joined(separator: ", ") + "}"
    case .sequence(let sequence):
      return "[" + sequence.map(flow).joined(separator: ", ") + "]"
    case .alias: preconditionFailure("what is encoded has no aliases")
    }
  }

  /// A number without an exponent where it is neither large nor small.
  private static func plain(_ text: String) -> String {
    guard text.contains("e"), let number = Double(text) else { return text }
    if number == number.rounded(), abs(number) < 1e6 { return "\(Int(number))" }
    return abs(number) >= 1e-3 && abs(number) < 1e6 ? "\(number)" : text
  }
}
