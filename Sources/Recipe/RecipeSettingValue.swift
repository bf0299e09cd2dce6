import Yams

extension RecipeSetting {
  /// The value as a tree, where the tree represents the whole text.
  ///
  /// YAML ends a value at a comment, drops blanks around it, and reads some first characters as
  /// anchors, tags or documents: a folder `run #2` would become the folder `run`.
  func node() throws(RecipeError) -> Node {
    if let literal { return Node(literal, Tag(.str), .doubleQuoted) }
    let node: Node
    do {
      guard let parsed = try YAMLTree.compose(value) else {
        throw failure("YAML finds no value in it: \(quotingHint)")
      }
      node = parsed
    } catch let error as RecipeError {
      throw error
    } catch {
      let problem = (error as? YAMLProblem)?.text ?? "\(error)"
      throw failure("the value is not valid YAML: \(problem); \(quotingHint)")
    }
    guard standsForAll(node), !hasComment(node) else {
      throw failure("YAML would read \(words(node)): \(quotingHint)")
    }
    return node
  }

  private var quotingHint: String {
    let quoted = path.joined(separator: ".") + "=" + yamlQuoted(value)
    return "to give the whole text, put it in quotes: \(origin) \(shellQuoted(quoted))"
  }

  /// Whether a node accounts for the text from its first to its last character.
  private func standsForAll(_ node: Node) -> Bool {
    let isBlank = { (character: Character) in character == " " || character == "\n" }
    let trimmed = value.drop(while: isBlank).reversed().drop(while: isBlank).reversed()
    func isEnclosed(_ open: Character, _ close: Character) -> Bool {
      trimmed.count > 1 && trimmed.first == open && trimmed.last == close
    }
    switch node {
    case .scalar(let scalar):
      switch scalar.style {
      case .singleQuoted: return isEnclosed("'", "'")
      case .doubleQuoted: return isEnclosed("\"", "\"")
      case .plain, .any:
        // Blanks around a number mean nothing; of a text they would be lost.
        let isText = node.tag == Tag(.str)
        return scalar.string == (isText ? value : String(trimmed))
      case .literal, .folded: return false
      }
    case .sequence: return isEnclosed("[", "]")
    case .mapping: return isEnclosed("{", "}")
    case .alias: return false
    }
  }

  /// Whether some of the text is a comment: it can go, up to the end of its line, and leaves the
  /// same value.
  private func hasComment(_ node: Node) -> Bool {
    value.indices.contains { index in
      guard value[index] == "#" else { return false }
      let end = value[index...].firstIndex(where: \.isNewline) ?? value.endIndex
      let rest = String(value[..<index]) + String(value[end...])
      return (try? YAMLTree.compose(rest)) == node
    }
  }

  /// A description of what YAML would read instead of the text.
  private func words(_ node: Node) -> String {
    if let scalar = node.scalar, !scalar.isNull { return yamlQuoted(scalar.string) }
    let start = value.drop(while: \.isWhitespace)
    let isBlock = !start.hasPrefix("---") && start.first.map { !"[{&!%#".contains($0) } == true
    switch node {
    case .mapping where isBlock:
      return "a mapping, which is to be written in braces as in {key: value}"
    case .sequence where isBlock:
      return "a list, which is to be written in brackets as in [1, 2]"
    default: return "\(node.inWords), and leave out the rest"
    }
  }
}
