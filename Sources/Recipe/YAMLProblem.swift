import Yams

/// An error in a YAML text, in one line, with its place.
struct YAMLProblem: Error {
  let text: String
  var line: Int?
  var column: Int?
  /// The key that a mapping has more than once, if that is the error.
  var duplicateKey: String?

  init(_ text: String, at mark: Mark?) {
    (self.text, line, column) = (text, mark?.line, mark?.column)
  }

  /// Makes the error for a key that a mapping has more than once.
  init(duplicateKey key: String, at mark: Mark?) {
    self.init("the key `\(key)` is given more than once", at: mark)
    duplicateKey = key
  }

  /// Converts an error of the library.
  init(_ error: any Error) {
    switch error {
    case YamlError.scanner(let context, let problem, let mark, _),
      YamlError.parser(let context, let problem, let mark, _),
      YamlError.composer(let context, let problem, let mark, _):
      if problem.contains("another document") {
        self.init(
          "a second document starts here, at `---`: keep one document, or put each into a file",
          at: mark)
      } else if problem.contains("nesting level") {
        self.init(YAMLTree.tooDeep, at: mark)
      } else {
        let context = context.map { "\($0.text) from line \($0.mark.line): " } ?? ""
        self.init(context + problem, at: mark)
      }
    case YamlError.reader(let problem, let offset, _, let yaml):
      self.init(problem, at: nil)
      if let offset {
        let before = yaml.prefix(offset)
        line = 1 + before.count(where: \.isNewline)
        column = 1 + before.reversed().prefix { !$0.isNewline }.count
      }
    case YamlError.duplicatedKeysInMapping(let keys, let context):
      self.init(duplicateKey: keys.first ?? "", at: context.mark)
    default:
      self.init("\(error)", at: nil)
    }
  }
}
