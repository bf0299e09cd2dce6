import Files
import Foundation
import Testing

@testable import Serving

@Suite struct APIKeyTests {
  private static let text = "0123456789abcdef"

  @Test(
    arguments: [
      ("Bearer \(text)", true), ("bearer \(text)", true), ("BEARER   \(text) ", true),
      (nil, false), ("", false), ("Bearer", false), ("Bearer ", false), (text, false),
      ("Basic \(text)", false), ("Bearer \(text)0", false), ("Bearer \(text.dropLast())", false),
      ("Bearer \(text)\(text)", false), ("Bearer 0123456789abcdeF", false),
      ("Bearer \0123456789abcdef", false), ("Bearer x \(text)", false),
      ("Basic \(Data("user:\(text)".utf8).base64EncodedString())", true),
      ("basic \(Data(":\(text)".utf8).base64EncodedString())", true),
      ("Basic \(Data(text.utf8).base64EncodedString())", false),
      ("Basic \(Data("user:other-\(text)".utf8).base64EncodedString())", false),
    ] as [(String?, Bool)])
  func authorizesOnlyTheKey(header: String?, expected: Bool) throws {
    let key = try APIKey(" \(Self.text)\n", source: "test")
    #expect(key.authorizes(header) == expected)
    #expect(!"\(key)".contains(Self.text))
  }

  @Test func everyByteMatters() throws {
    let key = try APIKey(Self.text, source: "test")
    for place in Self.text.utf8.indices {
      var other = Array(Self.text.utf8)
      other[Self.text.utf8.distance(from: Self.text.startIndex, to: place)] ^= 1
      #expect(!key.matches(String(decoding: other, as: UTF8.self)))
    }
    #expect(key.matches(Self.text) && !key.matches(""))
  }

  @Test(
    arguments: [
      ("", .keyLength(source: "test", found: 0, expected: 16...1024)),
      ("  0123456789abcde \n", .keyLength(source: "test", found: 15, expected: 16...1024)),
      (
        String(repeating: "x", count: 1025),
        .keyLength(source: "test", found: 1025, expected: 16...1024)
      ),
      ("0123456789 abcdef", .keyNotPrintable(source: "test")),
      ("0123456789\tabcdef", .keyNotPrintable(source: "test")),
      ("0123456789abcdefé", .keyNotPrintable(source: "test")),
    ] as [(String, ServingError)])
  func refusesOtherKeys(text: String, error: ServingError) {
    #expect(throws: error) { try APIKey(text, source: "test") }
    #expect(text.isEmpty || !error.description.contains(text))
  }

  @Test func comesFromAFileOrTheEnvironment() throws {
    let path = NSTemporaryDirectory() + "key-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    try Data("\(Self.text)\n".utf8).write(to: URL(fileURLWithPath: path))
    #expect(try APIKey(contentsOf: path).matches(Self.text))
    try Data(repeating: 0x78, count: 1 << 20).write(to: URL(fileURLWithPath: path))
    #expect(throws: ServingError.self) { try APIKey(contentsOf: path) }
    #expect(throws: FileError.self) { try APIKey(contentsOf: "/nowhere/key") }
    #expect(try APIKey.environment([:]) == nil && APIKey.environment([APIKey.variable: ""]) == nil)
    #expect(try APIKey.environment([APIKey.variable: Self.text])?.matches(Self.text) == true)
    #expect(throws: ServingError.self) { try APIKey.environment([APIKey.variable: "short"]) }
  }
}
