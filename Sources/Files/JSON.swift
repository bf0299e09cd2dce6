/// A JSON value: RFC 8259.
///
/// Foundation's reader is of no use for vocabularies: its dictionaries take canonically equivalent
/// strings for the same key, such as "é" in one scalar and in two. Nor does it limit the number of
/// values, which cost much more memory than their text.
package enum JSON: Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number that is written without a fraction and an exponent, and that an `Int` holds.
  case integer(Int)
  /// A number that is written so, and that only a `UInt64` holds.
  case unsigned(UInt64)
  /// Any other number.
  case number(Double)
  /// A string.
  case string(String)
  /// A list.
  case array([JSON])
  /// The members in the order of the text; names may occur twice.
  case object([(key: String, value: JSON)])

  /// The number, also where it is whole; nil for other values.
  package var double: Double? {
    switch self {
    case .integer(let number): Double(number)
    case .unsigned(let number): Double(number)
    case .number(let number): number
    default: nil
    }
  }

  /// The kind in words.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .integer, .unsigned, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}
