import Testing

@testable import Files

@Suite struct JSONReaderTests {
  private func read(_ text: String, deepest: Int = 200, mostValues: Int = .max) throws -> JSON {
    try Array(text.utf8).withUnsafeBytes {
      try JSONReader.read($0, deepest: deepest, mostValues: mostValues)
    }
  }

  @Test func escapesAreRead() throws {
    let value = try read(#"{"\u0041\n\"\\\/": ["\ud83d\ude00", 1e3, -2, true, null]}"#)
    guard case .object(let members) = value, case .array(let elements) = members[0].value,
      case .string(let face) = elements[0], case .number(let thousand) = elements[1],
      case .integer(let negative) = elements[2], case .bool(true) = elements[3],
      case .null = elements[4]
    else {
      Issue.record("\(value)")
      return
    }
    #expect(members[0].key == "A\n\"\\/" && face == "😀" && thousand == 1000 && negative == -2)
  }

  @Test(
    arguments: [
      ("0", 0), ("-0", 0), ("123456789012345", 123_456_789_012_345),
      ("9007199254740993", 9_007_199_254_740_993), ("9223372036854775807", .max),
      ("-9223372036854775808", .min),
    ])
  func wholeNumbersAreExact(text: String, value: Int) throws {
    guard case .integer(let found) = try read(text) else {
      Issue.record("\(text) is not read as a whole number")
      return
    }
    #expect(found == value)
  }

  @Test(arguments: [("9223372036854775808", 1 << 63), ("18446744073709551615", UInt64.max)])
  func largeWholeNumbersAreExact(text: String, value: UInt64) throws {
    guard case .unsigned(let found) = try read(text) else {
      Issue.record("\(text) is not read as a large whole number")
      return
    }
    #expect(found == value)
  }

  @Test(
    arguments: [
      ("18446744073709551616", 0x1p64), ("-9223372036854775809", -0x1p63), ("1.5", 1.5),
      ("-1.5e-3", -0.0015), ("2E+2", 200),
      ("0.0", 0), ("1e-999", 0),
    ])
  func otherNumbersAreRead(text: String, value: Double) throws {
    guard case .number(let found) = try read(text) else {
      Issue.record("\(text) is not read as a number")
      return
    }
    #expect(found == value)
  }

  @Test(
    arguments: [
      ("01", 0, "begins with 0"), ("-", 1, "a digit"), ("-a", 1, "a digit"), ("1.", 2, "a digit"),
      ("1.e3", 2, "a digit"), ("1e", 2, "a digit"), ("1e+", 3, "a digit"), (".5", 0, "a value"),
      ("+1", 0, "a value"), ("1e999", 0, "beyond the range"), ("NaN", 0, "a value"),
      (String(repeating: "1", count: 401), 0, "more than 400 characters"),
      ("1 2", 2, "after the value"),
      ("", 0, "the text ends"), ("[1,", 3, "the text ends"), ("[1,]", 3, "a value"),
    ])
  func mistakesAreNamed(text: String, byte: Int, reason: String) {
    let failure = #expect(throws: JSONReader.Failure.self) { try read(text) }
    #expect(failure?.byte == byte && failure?.reason.contains(reason) == true)
  }

  @Test func depthAndValuesAreLimited() throws {
    _ = try read("[[1, 2]]", deepest: 2, mostValues: 4)
    let deep = #expect(throws: JSONReader.Failure.self) { try read("[[1, 2]]", deepest: 1) }
    #expect(deep?.reason == "it is nested more than 1 deep" && deep?.byte == 2)
    let many = #expect(throws: JSONReader.Failure.self) { try read("[[1, 2]]", mostValues: 3) }
    #expect(many?.reason == "it has more than 3 values")
  }
}
