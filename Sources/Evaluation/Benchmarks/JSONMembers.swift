import Datasets
import Files

/// The members of a JSON object by name, with checks of their kinds.
package struct JSONMembers {
  private let members: [(key: String, value: JSON)]

  /// Takes an object.
  ///
  /// - Parameter name: what the value is, for messages.
  package init(_ value: JSON, _ name: String = "the line") throws(RowFault) {
    guard case .object(let members) = value else {
      throw RowFault("\(name) is \(value.kind), and an object was expected")
    }
    self.members = members
  }

  /// A member; of equal names the last one, nil for none and for `null`.
  package subscript(_ key: String) -> JSON? {
    guard let value = members.last(where: { $0.key == key })?.value else { return nil }
    if case .null = value { return nil }
    return value
  }

  /// The first of some members that is there.
  package func first(of keys: [String]) -> JSON? { keys.lazy.compactMap { self[$0] }.first }

  /// The names in the order of the text.
  package var keys: [String] { members.map(\.key) }

  /// A text.
  package func string(_ key: String) throws(RowFault) -> String {
    guard case .string(let text)? = self[key] else { throw fault(key, "a text") }
    return text
  }

  /// A whole number.
  package func integer(_ key: String) throws(RowFault) -> Int {
    guard case .integer(let number)? = self[key] else { throw fault(key, "a whole number") }
    return number
  }

  /// A number.
  package func number(_ key: String) throws(RowFault) -> Double {
    guard let number = self[key]?.double else { throw fault(key, "a number") }
    return number
  }

  /// A list; empty where it is missing and may be.
  package func list(_ key: String, isOptional: Bool = false) throws(RowFault) -> [JSON] {
    if isOptional, self[key] == nil { return [] }
    guard case .array(let elements)? = self[key] else { throw fault(key, "a list") }
    return elements
  }

  private func fault(_ key: String, _ expected: String) -> RowFault {
    guard let value = self[key] else { return RowFault("it has no `\(key)`") }
    return RowFault("its `\(key)` is \(value.kind), and \(expected) was expected")
  }
}

/// A file with a JSON value on each line.
package struct JSONLines {
  /// The values with the numbers of their lines, from 1.
  package let lines: [(number: Int, value: JSON)]

  /// Reads a file; blank lines are ignored.
  ///
  /// - Parameter ignoresCutEnd: whether a last line without an end, as a process leaves it that was killed,
  ///   may be damaged.
  /// - Throws: `FileError.unreadable`, and `BenchmarkError.damagedLine` for a line that is not JSON.
  package init(_ path: String, ignoresCutEnd: Bool = false) throws {
    let file = try MappedFile(path)
    lines = try withExtendedLifetime(file) {
      let last = file.bytes.last == UInt8(ascii: "\n") ? nil : file.bytes.indices.last
      return try file.bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
        .enumerated().compactMap { index, line -> (number: Int, value: JSON)? in
          guard line.contains(where: { $0 > UInt8(ascii: " ") }) else { return nil }
          do {
            return (index + 1, try JSONReader.read(UnsafeRawBufferPointer(rebasing: line)))
          } catch let failure as JSONReader.Failure {
            if ignoresCutEnd, line.endIndex - 1 == last { return nil }
            throw BenchmarkError.damagedLine(
              path: path, line: index + 1,
              reason: "it is not JSON: \(failure.reason) at byte \(failure.byte)")
          }
        }
    }
  }

  /// Converts each line, and names the line of which the conversion fails.
  ///
  /// - Throws: `BenchmarkError.damagedLine` for a `RowFault` of `body`.
  package static func read<Value>(
    _ path: String, _ body: (JSON) throws -> Value
  ) throws -> [Value] {
    try JSONLines(path).lines.map { number, value in
      do {
        return try body(value)
      } catch let fault as RowFault {
        throw BenchmarkError.damagedLine(path: path, line: number, reason: fault.reason)
      }
    }
  }
}
