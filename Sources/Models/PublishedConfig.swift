import Files
import Foundation
import Layers
import Recipe

/// The `config.json` that is published with a network's weights.
public enum PublishedConfig {
  /// Reads a file.
  ///
  /// - Throws: `FileError.unreadable`, and `PublishedConfigError` for a file that does not describe such
  ///   a network.
  public static func read<Config: Decodable>(
    _ type: Config.Type = Config.self, from path: String
  ) throws -> Config {
    let file = try MappedFile(path)
    let data = withExtendedLifetime(file) { Data(file.bytes).withoutInfinities }
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch let error as InvalidRecipeValue {
      throw PublishedConfigError(path: path, reason: "\(error)")
    } catch let error as DecodingError {
      // The decoder reports numbers that it cannot represent as invalid JSON, without their key.
      var reason = error.reason
      if case .dataCorrupted(let context) = error, context.codingPath.isEmpty,
        (try? JSONSerialization.jsonObject(with: data)) != nil
      {
        reason = "one of its numbers is a fraction where a whole one was expected, or too large"
      }
      throw PublishedConfigError(path: path, reason: reason)
    }
  }
}

extension Data {
  /// JSON as Python writes it, with null for the numbers that are not part of JSON: infinities and NaN, which
  /// published files have for limits that limit nothing.
  fileprivate var withoutInfinities: Data {
    let words = ["-Infinity", "Infinity", "NaN"].map { Data($0.utf8) }
    guard words.contains(where: { range(of: $0) != nil }) else { return self }
    var (result, rest) = (Data(), self[...])
    var isText = false
    while let byte = rest.first {
      if !isText, let word = words.first(where: rest.starts) {
        result.append(contentsOf: "null".utf8)
        rest = rest.dropFirst(word.count)
        continue
      }
      let count = isText && byte == UInt8(ascii: "\\") ? 2 : 1
      if byte == UInt8(ascii: "\"") { isText.toggle() }
      result.append(contentsOf: rest.prefix(count))
      rest = rest.dropFirst(count)
    }
    return result
  }
}

/// An invalid or unsupported `config.json`.
public struct PublishedConfigError: Error, Equatable, CustomStringConvertible {
  /// The file.
  public let path: String
  /// The key, its value, and what was expected.
  public let reason: String

  /// What was found, what was expected and what to do.
  public var description: String { "\(path) cannot be used: \(reason)." }
}

extension DecodingError {
  /// The key and what is wrong with it, in one line.
  fileprivate var reason: String {
    func place(_ path: [any CodingKey]) -> String {
      path.isEmpty ? "the file" : "`\(path.map(\.stringValue).joined(separator: "."))`"
    }
    return switch self {
    case .keyNotFound(let key, let context): "\(place(context.codingPath + [key])) is missing"
    case .valueNotFound(let type, let context):
      "\(place(context.codingPath)) is null, and \(type) was expected"
    case .typeMismatch(let type, let context):
      "\(place(context.codingPath)) is not of the type \(type)"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty
        ? "the file is not valid JSON" : "\(place(context.codingPath)) has an unknown value"
    @unknown default: "it cannot be read"
    }
  }
}

extension KeyedEncodingContainer {
  /// Writes how a stack is executed unless it is the default of its depth, since published configs
  /// have no such key.
  mutating func encode(_ execution: StackExecution, _ key: Key, depth: Int) throws {
    if execution != .standard(depth: depth) { try encode(execution, forKey: key) }
  }
}

extension StackExecution {
  /// The default for a depth: for deep stacks, compiling unrolled layers costs more than it gains.
  static func standard(depth: Int) -> StackExecution { depth > 24 ? .scanned : .unrolled }

  /// This, or nil where it is the default of a depth.
  func chosen(depth: Int) -> StackExecution? { self == .standard(depth: depth) ? nil : self }
}

extension RecipeGroup {
  /// The key for how a stack is run; published configs have none, and the default is not written.
  static func execution(
    _ path: WritableKeyPath<Self, StackExecution?> & Sendable,
    otherwise set: @escaping @Sendable (inout Self) -> Void
  ) -> Field {
    Field(
      "execution", path, "unrolled runs fastest, scanned compiles fastest, recomputed is smallest"
    ).otherwise("`unrolled`, above 24 layers `scanned`", set)
  }

  /// Checks that a stack is not too deep for how it is run.
  func check<Value>(
    _ execution: StackExecution, _ path: KeyPath<Self, Value> & Sendable, depth: Int
  ) throws {
    guard execution != .unrolled || SizeLimit.unrolledLayers.contains(depth) else {
      throw invalid(
        path, found: execution.rawValue,
        "a stack of \(depth) layers is compiled as a loop: set it to scanned or recomputed")
    }
  }
}

extension KeyedDecodingContainer {
  /// How a stack of a given depth is executed.
  ///
  /// - Throws: an error that names the key where the stack is too deep to be unrolled.
  func execution(_ key: Key, depth: Int) throws -> StackExecution {
    let execution = try value(key, default: StackExecution.standard(depth: depth))
    guard execution != .unrolled || SizeLimit.unrolledLayers.contains(depth) else {
      throw InvalidRecipeValue(
        key, execution.rawValue,
        "a stack of \(depth) layers is compiled as a loop: set it to scanned or recomputed")
    }
    return execution
  }

  /// Checks a key of which only some values are supported; an absent key or null is.
  ///
  /// - Throws: `InvalidRecipeValue` for another value.
  package func expect<Value: Decodable & Equatable>(_ key: Key, _ supported: Value...) throws {
    try expect(key, among: supported)
  }

  /// Checks a key, see above.
  func expect<Value: Decodable & Equatable>(_ key: Key, among supported: [Value]) throws {
    guard let value = try decodeIfPresent(Value.self, forKey: key), !supported.contains(value)
    else { return }
    let list = supported.map { "\($0)" }.joined(separator: " or ")
    throw InvalidRecipeValue(key, value, "only \(list) is supported")
  }
}
