import Files
import TestSupport

/// A random JSON value in different spellings.
struct GeneratedJSON {
  let value: JSON
  private(set) var text = ""

  /// Draws an object.
  init(_ random: inout SeededGenerator) {
    value = Self.object(depth: 0, &random)
    write(value, &random)
  }

  private static func object(depth: Int, _ random: inout SeededGenerator) -> JSON {
    .object(
      (0..<Int.random(in: 0...5, using: &random)).map { _ in
        (string(&random), drawn(depth: depth + 1, &random))
      })
  }

  private static func drawn(depth: Int, _ random: inout SeededGenerator) -> JSON {
    switch Int.random(in: 0..<(depth < 5 ? 8 : 6), using: &random) {
    case 0: .null
    case 1: .bool(.random(using: &random))
    case 2: .integer(.random(in: .min ... .max, using: &random))
    case 3: .integer(.random(in: -20...20, using: &random))
    case 4: .number(.random(in: -1e6...1e6, using: &random))
    case 5: .string(string(&random))
    case 6:
      .array(
        (0..<Int.random(in: 0...5, using: &random)).map { _ in drawn(depth: depth + 1, &random) })
    default: object(depth: depth, &random)
    }
  }

  private static func string(_ random: inout SeededGenerator) -> String {
    let letters = Array("ab \"\\/\n\t\u{1}\u{7F}é靴👕e\u{301}{}[],:".unicodeScalars)
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...12, using: &random) {
      text.append(letters.randomElement(using: &random) ?? "a")
    }
    return String(text)
  }

  private mutating func write(_ value: JSON, _ random: inout SeededGenerator) {
    blanks(&random)
    switch value {
    case .null: text += "null"
    case .bool(let flag): text += "\(flag)"
    case .integer(let number): text += "\(number)"
    case .unsigned(let number): text += "\(number)"
    case .number(let number): text += "\(number)"
    case .string(let string): write(string, &random)
    case .array(let elements):
      text += "["
      for (index, element) in elements.enumerated() {
        if index > 0 { text += "," }
        write(element, &random)
      }
      text += "]"
    case .object(let members):
      text += "{"
      for (index, member) in members.enumerated() {
        if index > 0 { text += "," }
        blanks(&random)
        write(member.key, &random)
        blanks(&random)
        text += ":"
        write(member.value, &random)
      }
      blanks(&random)
      text += "}"
    }
    blanks(&random)
  }

  /// Writes a string with escapes where they must be, and elsewhere now and then.
  private mutating func write(_ string: String, _ random: inout SeededGenerator) {
    text += "\""
    for scalar in string.unicodeScalars {
      let mustBeEscaped = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
      if mustBeEscaped || Int.random(in: 0..<4, using: &random) == 0 {
        for unit in UTF16.encode(scalar) ?? .init() {
          let digits = String(unit, radix: 16, uppercase: .random(using: &random))
          text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    text += "\""
  }

  private mutating func blanks(_ random: inout SeededGenerator) {
    for _ in 0..<max(0, Int.random(in: -3...2, using: &random)) {
      text += [" ", "\t", "\r", "\n"].randomElement(using: &random) ?? " "
    }
  }
}

extension JSON {
  /// Whether two values are equal scalar by scalar, with their members in order.
  func isIdentical(to other: JSON) -> Bool {
    switch (self, other) {
    case (.null, .null): true
    case (.bool(let a), .bool(let b)): a == b
    case (.integer(let a), .integer(let b)): a == b
    case (.number(let a), .number(let b)): a == b
    case (.string(let a), .string(let b)): a.utf8.elementsEqual(b.utf8)
    case (.array(let a), .array(let b)):
      a.count == b.count && zip(a, b).allSatisfy { $0.isIdentical(to: $1) }
    case (.object(let a), .object(let b)):
      a.count == b.count
        && zip(a, b).allSatisfy {
          $0.key.utf8.elementsEqual($1.key.utf8) && $0.value.isIdentical(to: $1.value)
        }
    default: false
    }
  }
}
