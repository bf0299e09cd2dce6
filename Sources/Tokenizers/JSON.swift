/// A JSON value.
///
/// Foundation's reader is of no use for vocabularies: its dictionaries take canonically equivalent
/// strings for the same key, such as "é" in one scalar and in two.
enum JSON: Sendable {
  case null
  case bool(Bool)
  case number(Double)
  case string(String)
  case array([JSON])
  case object([(key: String, value: JSON)])

  /// The kind in words.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
