import Yams

/// The tree of a YAML text, with aliases and merge keys (`<<`) resolved as in YAML 1.1.
///
/// The library copies a node for each alias while it reads; a few lines of aliases of aliases would
/// become billions of nodes. Therefore it reads the text with another character in place of each
/// `*`, and the aliases are resolved and counted here.
enum YAMLTree {
  /// The greatest depth of nested mappings and lists.
  static let deepest = 100
  /// The maximum number of nodes, where those of an alias count each time.
  static let largest = 100_000

  static let tooDeep =
    "mappings and lists lie more than \(deepest) deep in each other: a recipe needs a few levels"

  /// Reads a text; nil where it holds no node.
  static func compose(_ yaml: String) throws(YAMLProblem) -> Node? {
    let known = Set(yaml.unicodeScalars.lazy.filter { (0xE000...0xF8FF).contains($0.value) })
    let free = (0xE000...0xF8FF).lazy.compactMap(Unicode.Scalar.init(_:))
      .first { !known.contains($0) }
    guard let star = free else {
      throw YAMLProblem("the text uses all characters of the private use area", at: nil)
    }
    var text = String.UnicodeScalarView()
    text.append(contentsOf: yaml.unicodeScalars.lazy.map { $0 == "*" ? star : $0 })
    do {
      let parser = try Parser(yaml: String(text), encoding: .utf8)
      // Nodes do not keep their anchors alive, the parser does.
      return try withExtendedLifetime(parser) {
        var aliases = AliasResolver(star: star)
        return try parser.singleRoot().map { try aliases.resolve($0, depth: 1).node }
      }
    } catch let problem as YAMLProblem {
      throw problem
    } catch {
      throw YAMLProblem(error)
    }
  }
}

/// Resolves aliases and merge keys.
private struct AliasResolver {
  /// The character that replaces `*`.
  let star: Unicode.Scalar
  private var anchors: [String: Resolved] = [:]

  init(star: Unicode.Scalar) { self.star = star }

  /// A node with its number of nodes and its depth.
  struct Resolved {
    var node: Node
    var size = 1
    var height = 0
  }

  mutating func resolve(_ node: Node, depth: Int) throws(YAMLProblem) -> Resolved {
    let resolved: Resolved
    switch node {
    case .scalar(let scalar): resolved = try self.scalar(scalar)
    case .sequence(let sequence): resolved = try list(sequence, depth)
    case .mapping(let mapping): resolved = try self.mapping(mapping, depth)
    case .alias: throw YAMLProblem("an alias is out of place", at: node.mark)
    }
    guard depth + resolved.height - 1 <= YAMLTree.deepest else {
      throw YAMLProblem(YAMLTree.tooDeep, at: node.mark)
    }
    if let anchor = node.anchor { anchors[anchor.rawValue] = resolved }
    return resolved
  }

  private func scalar(_ scalar: Node.Scalar) throws(YAMLProblem) -> Resolved {
    if scalar.isPlain, scalar.string.unicodeScalars.first == star { return try alias(scalar) }
    let natural = scalar.isPlain ? Yams.Resolver.default.resolveTag(of: Node(scalar.string)) : .str
    try check(Node.scalar(scalar), is: natural)
    guard scalar.string.unicodeScalars.contains(star) else {
      return Resolved(node: .scalar(scalar))
    }
    let tag = scalar.isPlain ? Tag.implicit : Tag(.str)
    return Resolved(node: .scalar(.init(starred(scalar.string), tag, scalar.style, scalar.mark)))
  }

  private func alias(_ scalar: Node.Scalar) throws(YAMLProblem) -> Resolved {
    let text = starred(scalar.string)
    guard text.wholeMatch(of: #/\*[0-9A-Za-z_-]+/#) != nil, scalar.anchor == nil else {
      throw YAMLProblem(
        "`\(text)` is no alias, which is `*` and the name of an anchor: put a text that starts "
          + "with `*` in quotes", at: scalar.mark)
    }
    guard let named = anchors[String(text.dropFirst())] else {
      throw YAMLProblem(
        "the alias `\(text)` names nothing that ends before it: write `&\(text.dropFirst())` "
          + "before the value that it is to repeat, or put the text in quotes", at: scalar.mark)
    }
    return named
  }

  private mutating func list(
    _ sequence: Node.Sequence, _ depth: Int
  ) throws(YAMLProblem) -> Resolved {
    try check(.sequence(sequence), is: .seq)
    try checkDepth(depth, sequence.mark)
    var list = Resolved(node: .sequence(sequence), height: 1)
    var nodes: [Node] = []
    for element in sequence {
      let element = try resolve(element, depth: depth + 1)
      nodes.append(element.node)
      try list.add(element)
    }
    list.node = .sequence(.init(nodes, Tag(.seq), sequence.style, sequence.mark))
    return list
  }

  private mutating func mapping(
    _ mapping: Node.Mapping, _ depth: Int
  ) throws(YAMLProblem) -> Resolved {
    try check(.mapping(mapping), is: .map)
    try checkDepth(depth, mapping.mark)
    var whole = Resolved(node: .mapping(mapping), height: 1)
    var pairs: [(Node, Node)] = []
    var merged: [Node.Mapping] = []
    var names: Set<String> = []
    for (key, value) in mapping {
      let isMerge = key.scalar.map { $0.isPlain && $0.string == "<<" } ?? false
      let name = try resolve(key, depth: depth + 1)
      let value = try resolve(value, depth: depth + 1)
      try whole.add(name)
      try whole.add(value)
      if isMerge {
        merged += try mappings(value.node, at: key.mark)
        continue
      }
      if let name = name.node.scalar?.string, !names.insert(name).inserted {
        throw YAMLProblem(duplicateKey: name, at: key.mark)
      }
      pairs.append((name.node, value.node))
    }
    // A mapping's own pairs go before those that it merges, and these in their order.
    for (key, value) in merged.joined() {
      if let name = key.scalar?.string, !names.insert(name).inserted { continue }
      pairs.append((key, value))
    }
    whole.node = .mapping(.init(pairs, Tag(.map), mapping.style, mapping.mark))
    return whole
  }

  /// The mappings of a merge key.
  private func mappings(_ node: Node, at mark: Mark?) throws(YAMLProblem) -> [Node.Mapping] {
    if let mapping = node.mapping { return [mapping] }
    if let list = node.sequence {
      let mappings = list.compactMap(\.mapping)
      if mappings.count == list.count { return mappings }
    }
    throw YAMLProblem(
      "the merge key `<<` has \(node.inWords): give it a mapping, an alias of one as in "
        + "`<<: *base`, or a list of these", at: mark)
  }

  private func checkDepth(_ depth: Int, _ mark: Mark?) throws(YAMLProblem) {
    guard depth <= YAMLTree.deepest else { throw YAMLProblem(YAMLTree.tooDeep, at: mark) }
  }

  /// Throws for a tag that would change the type of a value.
  private func check(_ node: Node, is natural: Tag.Name) throws(YAMLProblem) {
    guard node.tag != Tag(natural) else { return }
    throw YAMLProblem(
      "the tag \(node.tag) is not known here: leave it out; a text stands in quotes", at: node.mark)
  }

  private func starred(_ text: String) -> String {
    var scalars = String.UnicodeScalarView()
    scalars.append(contentsOf: text.unicodeScalars.lazy.map { $0 == star ? "*" : $0 })
    return String(scalars)
  }
}

extension AliasResolver.Resolved {
  /// Adds a nested node to the counts.
  ///
  /// What is too large is an error before more of it is read.
  fileprivate mutating func add(_ inner: Self) throws(YAMLProblem) {
    size += inner.size
    height = max(height, inner.height + 1)
    guard size <= YAMLTree.largest else {
      throw YAMLProblem(
        "with its aliases this is more than \(YAMLTree.largest) values: write fewer aliases",
        at: node.mark)
    }
  }
}
