import Foundation

/// Files of cases of the scoring of pictures.
extension GoldenCase {
  /// The value of a JSON file.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func value<Value: Decodable>(_ file: String, _: Value.Type = Value.self) throws -> Value {
    try decode(content(of: file), file)
  }

  /// The values of a file with one on each line.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func values<Value: Decodable>(_ file: String, _: Value.Type = Value.self) throws -> [Value] {
    try lines(of: file).map { try decode(Data($0.utf8), file) }
  }

  /// The lines of a file, without empty ones.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func lines(of file: String) throws -> [String] {
    // A line may hold U+2028, which Swift's characters count as the end of a line.
    try content(of: file).split(separator: UInt8(ascii: "\n"))
      .map { String(decoding: $0, as: UTF8.self) }.filter { !$0.isEmpty }
  }

  /// The bytes of a file.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func content(of file: String) throws -> Data {
    guard let data = FileManager.default.contents(atPath: "\(path)/\(file)") else {
      throw fail("it has no \(file)")
    }
    return data
  }

  /// The value of a JSON text.
  ///
  /// - Throws: `GoldenError.wrongCase`.
  func decoded<Value: Decodable>(_ text: String, _ name: String) throws -> Value {
    try decode(Data(text.utf8), name)
  }

  private func decode<Value: Decodable>(_ data: Data, _ file: String) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: data)
    } catch {
      throw fail("its \(file) is not as expected: \(error)")
    }
  }
}

extension Comparison {
  /// Compares numbers that may differ by an absolute amount each.
  static func numbers(
    _ name: String, _ actual: [Double], _ expected: [Double], within tolerance: Double
  ) -> Comparison {
    guard actual.count == expected.count else {
      return Comparison(
        name, different: abs(actual.count - expected.count), of: expected.count,
        first: "\(actual.count) numbers, and \(expected.count) are expected")
    }
    var (square, norm, greatest) = (0.0, 0.0, 0.0)
    for (a, b) in zip(actual, expected) {
      let difference = abs(a - b)
      square += difference * difference
      norm += b * b
      greatest = difference.isNaN ? .infinity : max(greatest, difference)
    }
    return Comparison(
      name: name, relative: square == 0 ? 0 : (square / norm).squareRoot(),
      share: greatest / tolerance)
  }

  /// Compares rows that must be equal.
  static func rows<Row: Equatable>(
    _ name: String, _ actual: [Row], _ expected: [Row]
  ) -> Comparison {
    let shared = zip(actual, expected).enumerated().filter { $0.element.0 != $0.element.1 }
    let different = shared.count + abs(actual.count - expected.count)
    let first = shared.first.map { "row \($0.offset), \($0.element.0) instead of \($0.element.1)" }
    return Comparison(
      name, different: different, of: max(actual.count, expected.count),
      first: different == 0 ? nil : first ?? "the number of rows, \(actual.count)")
  }
}
