/// The error for a value of the right type that is not valid, thrown by a type while it is decoded.
///
/// The decoder turns it into `RecipeError.invalid`, with the file and the line.
/// ```swift
/// guard ends[0] <= ends[1] else {
///   throw InvalidRecipeValue(ends, "it must be two times, the lower one first")
/// }
/// ```
public struct InvalidRecipeValue: Error, CustomStringConvertible {
  /// The keys that lead to the value.
  public let path: [any CodingKey]
  /// The value in words.
  public let found: String
  /// The error, and what is valid.
  public let reason: String
  /// Whether the path starts at the top level of the file instead of the type that throws.
  let isAbsolute: Bool

  /// Names a value of the type that throws, by its key.
  public init(_ key: any CodingKey, _ found: some Any, _ reason: String) {
    self.init(path: [key], found: Self.words(found), reason: reason, isAbsolute: false)
  }

  /// Names the whole value that the type that throws was reading.
  public init(_ found: some Any, _ reason: String) {
    self.init(path: [], found: Self.words(found), reason: reason, isAbsolute: false)
  }

  /// A value as a recipe has it, where Swift's has an optional around it.
  fileprivate static func words(_ value: Any) -> String {
    let mirror = Mirror(reflecting: value)
    guard mirror.displayStyle == .optional else { return "\(value)" }
    return mirror.children.first.map { "\($0.value)" } ?? "absent"
  }

  init(path: [any CodingKey], found: String, reason: String, isAbsolute: Bool) {
    self.path = path
    self.found = found
    self.reason = reason
    self.isAbsolute = isAbsolute
  }

  /// The path, the value and the reason.
  public var description: String {
    "`\(path.map(\.stringValue).joined(separator: "."))` is \(found): \(reason)"
  }
}

extension KeyedDecodingContainer {
  /// The value of a required key.
  public func value<Value: Decodable>(_ key: Key) throws -> Value {
    try decode(Value.self, forKey: key)
  }

  /// The value of a key, or the default where the key is absent; a key without a value is an error.
  public func value<Value: Decodable>(
    _ key: Key, default standard: @autoclosure () -> Value
  ) throws -> Value {
    contains(key) ? try decode(Value.self, forKey: key) : standard()
  }

  /// The value of a key that must be within a range; without a default the key is required.
  ///
  /// - Throws: `InvalidRecipeValue` for a value outside, which names the range.
  public func value<Value: Decodable>(
    _ key: Key, default standard: Value? = nil, in range: some RecipeRange<Value>
  ) throws -> Value {
    try value(key, default: standard, where: range.contains, range.condition)
  }

  /// The value of a key that must satisfy a condition; without a default the key is required.
  ///
  /// - Parameter reason: What is valid, as in "it must be a multiple of 8".
  /// - Throws: `InvalidRecipeValue` for a value that does not satisfy it.
  public func value<Value: Decodable>(
    _ key: Key, default standard: Value? = nil, where isValid: (Value) -> Bool, _ reason: String
  ) throws -> Value {
    if let standard, !contains(key) { return standard }
    let value = try decode(Value.self, forKey: key)
    guard isValid(value) else {
      throw InvalidRecipeValue(
        path: codingPath + [key], found: InvalidRecipeValue.words(value), reason: reason,
        isAbsolute: true)
    }
    return value
  }
}
