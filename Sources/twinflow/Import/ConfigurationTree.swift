import Recipe

/// A YAML file whose keys are not known beforehand.
enum ConfigurationTree: Decodable, Equatable {
  case null
  case truth(Bool)
  case whole(Int)
  case number(Double)
  case text(String)
  case list([ConfigurationTree])
  case mapping([(key: String, value: ConfigurationTree)])

  private struct Key: CodingKey {
    let stringValue: String
    var intValue: Int? { nil }
    init?(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// Reads any value.
  init(from decoder: any Decoder) throws {
    if let keys = try? decoder.container(keyedBy: Key.self) {
      self = .mapping(
        try keys.allKeys.map { key in
          let isNull = try keys.decodeNil(forKey: key)
          return (key.stringValue, isNull ? .null : try keys.decode(Self.self, forKey: key))
        })
      return
    }
    if var elements = try? decoder.unkeyedContainer() {
      var list: [ConfigurationTree] = []
      while !elements.isAtEnd { list.append(try elements.decode(Self.self)) }
      self = .list(list)
      return
    }
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let truth = try? value.decode(Bool.self) {
      self = .truth(truth)
    } else if let whole = try? value.decode(Int.self) {
      self = .whole(whole)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else {
      self = .text(try value.decode(String.self))
    }
  }

  static func == (a: Self, b: Self) -> Bool { a.yaml == b.yaml }

  /// The value as YAML in one line.
  var yaml: String {
    switch self {
    case .null: "null"
    case .truth(let truth): "\(truth)"
    case .whole(let whole): "\(whole)"
    case .number(let number): number.yaml
    case .text(let text):
      (try? RecipeWriter.line([text])).map { String($0.dropFirst().dropLast()) } ?? text
    case .list(let list): "[\(list.map(\.yaml).joined(separator: ", "))]"
    case .mapping(let pairs):
      "{\(pairs.map { "\($0.key): \($0.value.yaml)" }.joined(separator: ", "))}"
    }
  }

  /// The value in words, for messages.
  var inWords: String {
    switch self {
    case .null: "empty"
    case .truth, .whole, .number: yaml
    case .text(let text): "the text \"\(text)\""
    case .list: "a list"
    case .mapping: "a mapping"
    }
  }
}

extension Double {
  /// The number as YAML, without an exponent or a point where it needs none.
  var yaml: String {
    self == rounded() && abs(self) < 1e6 ? "\(Int(self))" : "\(self)"
  }
}

/// A configuration file of which each key is taken once; what is left over has no counterpart.
struct ConfigurationReader {
  private let file: String
  private var left: [(path: [String], value: ConfigurationTree)]

  /// Reads the sections of a file.
  ///
  /// - Throws: `RecipeError` for a file that is not YAML, `ImportError.noSections` for other content.
  init(_ file: String) throws {
    self.file = file
    let tree = try RecipeDecoder.decode(ConfigurationTree.self, contentsOf: file)
    guard case .mapping(let sections) = tree, sections.contains(where: { $0.key == "method" })
    else {
      throw ImportError.noSections(file: file)
    }
    left = sections.flatMap { section, value in
      guard case .mapping(let pairs) = value else { return [([section], value)] }
      return pairs.map { ([section, $0.key], $0.value) }
    }
  }

  /// The keys that were not taken.
  var rest: [(name: String, value: ConfigurationTree)] {
    left.map { ($0.path.joined(separator: "."), $0.value) }
  }

  /// Takes a value; nil where it is absent or empty.
  mutating func take(_ section: String, _ key: String) -> ConfigurationTree? {
    guard let place = left.firstIndex(where: { $0.path == [section, key] }) else { return nil }
    let value = left.remove(at: place).value
    return value == .null ? nil : value
  }

  /// Takes a number.
  ///
  /// - Throws: `ImportError.wrongValue` for another value.
  mutating func number(_ section: String, _ key: String) throws -> Double? {
    switch take(section, key) {
    case nil: nil
    case .whole(let whole): Double(whole)
    case .number(let number): number
    case let other?: throw wrong(section, key, other, "a number")
    }
  }

  /// Takes a whole number.
  ///
  /// - Throws: `ImportError.wrongValue` for another value.
  mutating func whole(_ section: String, _ key: String) throws -> Int? {
    switch take(section, key) {
    case nil: nil
    case .whole(let whole): whole
    case let other?: throw wrong(section, key, other, "a whole number")
    }
  }

  /// Takes true or false.
  ///
  /// - Throws: `ImportError.wrongValue` for another value.
  mutating func truth(_ section: String, _ key: String) throws -> Bool? {
    switch take(section, key) {
    case nil: nil
    case .truth(let truth): truth
    case let other?: throw wrong(section, key, other, "true or false")
    }
  }

  /// Takes a text; an empty one is absent.
  ///
  /// - Throws: `ImportError.wrongValue` for another value.
  mutating func text(_ section: String, _ key: String) throws -> String? {
    switch take(section, key) {
    case nil: nil
    case .text(let text): text.isEmpty ? nil : text
    case let other?: throw wrong(section, key, other, "text")
    }
  }

  /// Takes a list of numbers.
  ///
  /// - Throws: `ImportError.wrongValue` for another value.
  mutating func numbers(_ section: String, _ key: String) throws -> [Double]? {
    guard let value = take(section, key) else { return nil }
    guard case .list(let list) = value else { throw wrong(section, key, value, "a list") }
    return try list.map { element in
      switch element {
      case .whole(let whole): return Double(whole)
      case .number(let number): return number
      default: throw wrong(section, key, element, "a number")
      }
    }
  }

  /// Takes a text or a list of texts.
  ///
  /// - Throws: `ImportError.wrongValue` for another value.
  mutating func texts(_ section: String, _ key: String) throws -> [String]? {
    guard let value = take(section, key) else { return nil }
    if case .text(let text) = value { return [text] }
    guard case .list(let list) = value else { throw wrong(section, key, value, "a list of texts") }
    return try list.map { element in
      guard case .text(let text) = element else { throw wrong(section, key, element, "text") }
      return text
    }
  }

  private func wrong(
    _ section: String, _ key: String, _ value: ConfigurationTree, _ expected: String
  ) -> ImportError {
    .wrongValue(file: file, key: "\(section).\(key)", found: value.inWords, expected: expected)
  }
}

/// What can be wrong with a configuration that is imported, besides the errors of YAML files.
enum ImportError: Error, Equatable, CustomStringConvertible {
  /// The file has no section `method`.
  case noSections(file: String)
  /// A value is of another type.
  case wrongValue(file: String, key: String, found: String, expected: String)

  /// What was found, what was expected and what to do.
  var description: String {
    switch self {
    case .noSections(let file):
      "\(file) is no configuration of the published trainer: it has no section `method`. Its "
        + "configurations have the sections model, data, method, sample and train."
    case .wrongValue(let file, let key, let found, let expected):
      "\(file): `\(key)` is \(found): \(expected) was expected"
    }
  }
}
