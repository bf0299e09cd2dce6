import Yams

/// The tree of a recipe with its overrides, and the information to name places in it.
struct RecipeDocument {
  let file: String
  let root: Node
  private let origins: [(path: [String], name: String)]

  init(yaml: String, file: String, settings: [RecipeSetting]) throws(RecipeError) {
    var root: Node
    do {
      guard let node = try YAMLTree.compose(yaml), node.scalar?.isNull != true else {
        throw RecipeError.empty(file: file)
      }
      root = node
    } catch let error as RecipeError {
      throw error
    } catch let problem as YAMLProblem {
      let place = RecipePlace(source: file, line: problem.line, column: problem.column)
      if let key = problem.duplicateKey { throw .duplicateKey(place, key: key) }
      throw .malformed(place, problem: problem.text)
    } catch {
      throw .malformed(RecipePlace(source: file), problem: "\(error)")
    }
    var origins: [(path: [String], name: String)] = []
    for setting in settings {
      origins.append((try setting.apply(to: &root), setting.name))
    }
    self.file = file
    self.root = root
    self.origins = origins
  }

  /// The node at a path of keys, nil where there is none.
  func node(at path: [any CodingKey]) -> Node? {
    var node = root
    for key in path {
      switch node {
      case .mapping(let mapping):
        guard let pair = mapping.first(where: { $0.key.scalar?.string == key.stringValue }) else {
          return nil
        }
        node = pair.value
      case .sequence(let sequence):
        guard let index = key.intValue, sequence.indices.contains(index) else { return nil }
        node = sequence[index]
      case .scalar, .alias: return nil
      }
    }
    return node
  }

  /// The place of the value at a path, or of the nearest enclosing value where it is missing.
  func place(of path: [any CodingKey], mark: Mark? = nil) -> RecipePlace {
    let text = path.reduce(into: "") { text, key in
      if let index = key.intValue, key is RecipeIndex {
        text += "[\(index)]"
      } else {
        text += (text.isEmpty ? "" : ".") + key.stringValue
      }
    }
    let names = path.map { ($0 as? RecipeIndex).map { String($0.index) } ?? $0.stringValue }
    if let origin = origins.last(where: { names.starts(with: $0.path) }) {
      return RecipePlace(source: origin.name, path: text)
    }
    let around = (0...path.count).reversed().lazy
      .compactMap { count in node(at: Array(path.prefix(count)))?.mark }.first
    let found = mark ?? around
    return RecipePlace(source: file, line: found?.line, column: found?.column, path: text)
  }
}

/// The place of an element in a list, from 0.
struct RecipeIndex: CodingKey {
  let index: Int

  init(_ index: Int) { self.index = index }
  init?(intValue: Int) { index = intValue }
  init?(stringValue: String) { nil }

  var intValue: Int? { index }
  var stringValue: String { "Index \(index)" }
}
