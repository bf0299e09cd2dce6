import Foundation

/// What an index says of the files beside it.
struct WeightIndex {
  /// The place of an array.
  enum Place {
    /// Whole in a file.
    case file(String)
    /// In parts: the shape of the whole, and where in it each file's part starts.
    case parts(shape: [Int], starts: [String: [Int]])
  }

  /// Texts about the whole; what else lies among them, such as a number of bytes, is passed over.
  private(set) var metadata: [String: String] = [:]
  /// The arrays.
  private(set) var arrays: [String: Place] = [:]
  /// The random text that each file had when the index was written; none in an index that other
  /// programs have written.
  private(set) var ids: [String: String] = [:]

  static let suffix = ".index.json"
  static let idsKey = "file_ids"

  /// The names of all files.
  var files: Set<String> {
    Set(
      arrays.values.flatMap { place -> [String] in
        switch place {
        case .file(let name): [name]
        case .parts(_, let starts): Array(starts.keys)
        }
      })
  }

  /// Reads an index.
  init(_ json: some Collection<UInt8>) throws(JSONFault) {
    let fields = try JSONValues.object(json, what: "its index")
    if let value = fields["metadata"] {
      metadata = try Self.object(value, "metadata").compactMapValues { $0 as? String }
    }
    if let value = fields[Self.idsKey] { ids = try Self.texts(value, Self.idsKey) }
    if let value = fields["parts"] {
      for (name, value) in Self.sorted(try Self.object(value, "parts")) {
        arrays[name] = try Self.parts(name, value)
      }
    } else if let value = fields["weight_map"] {
      arrays = try Self.texts(value, "weight_map").mapValues { .file($0) }
    } else {
      throw JSONFault(reason: "its index has neither weight_map nor parts")
    }
  }

  /// Whether a name is that of a file beside the index, and leads nowhere else.
  static func isPlain(_ name: String) -> Bool {
    !name.isEmpty && !name.hasPrefix(".")
      && !name.utf8.contains { $0 == 0 || $0 == UInt8(ascii: "/") }
  }

  /// The index that files belong to by their names, such as `model-00001-of-00003.safetensors`, which is
  /// not there; nil for files with other names.
  static func missing(for files: [String]) -> String? {
    let stems = Set(
      files.map { $0.firstMatch(of: /^(.*)-\d+-of-\d+\.safetensors$/).map { String($0.1) } })
    guard stems.count == 1, let stem = stems.first ?? nil else { return nil }
    return stem + ".safetensors" + suffix
  }

  private static func parts(_ name: String, _ value: Any) throws(JSONFault) -> Place {
    let facts = try object(value, "the parts of \(name)")
    guard let shape = facts["shape"] else {
      throw JSONFault(reason: "its index does not say the shape of \(name)")
    }
    guard let files = facts["files"] else {
      throw JSONFault(reason: "its index does not say the files of \(name)")
    }
    var starts: [String: [Int]] = [:]
    for (file, start) in sorted(try object(files, "the files of \(name)")) {
      starts[file] = try numbers(start, "the start of \(name) in \(file)")
    }
    return .parts(shape: try numbers(shape, "the shape of \(name)"), starts: starts)
  }

  private static func object(_ value: Any, _ what: String) throws(JSONFault) -> [String: Any] {
    guard let object = value as? [String: Any] else {
      throw JSONFault(
        reason: "its index has \(JSONValues.kind(value)) as \(what), an object is expected")
    }
    return object
  }

  private static func texts(_ value: Any, _ what: String) throws(JSONFault) -> [String: String] {
    var texts: [String: String] = [:]
    for (name, value) in sorted(try object(value, what)) {
      guard let text = value as? String else {
        throw JSONFault(
          reason: "its index has \(JSONValues.kind(value)) as \(name) under \(what), a text is "
            + "expected")
      }
      texts[name] = text
    }
    return texts
  }

  private static func numbers(_ value: Any, _ what: String) throws(JSONFault) -> [Int] {
    guard let values = value as? [Any] else {
      throw JSONFault(
        reason: "its index has \(JSONValues.kind(value)) as \(what), an array of whole numbers is "
          + "expected")
    }
    var numbers: [Int] = []
    for value in values {
      guard let number = JSONValues.whole(value) else {
        throw JSONFault(
          reason: "its index has \(JSONValues.kind(value)) in \(what), a whole number from 0 to "
            + "below 2^53 is expected")
      }
      numbers.append(number)
    }
    return numbers
  }

  private static func sorted(_ fields: [String: Any]) -> [(key: String, value: Any)] {
    fields.sorted { $0.key < $1.key }
  }
}
