import Testing

@testable import Recipe

@Suite struct RecipeWriterTests {
  private struct Sample: Codable, Equatable {
    struct Inner: Codable, Equatable {
      var name: String
      var deep: [String: String]
      var list: [String]
    }

    var name: String
    var inner: Inner
    var list: [String]
    var number: Double
    var big: UInt64
  }

  /// What is written is read back, in a line of its own, between brackets and inside these.
  @Test(arguments: [
    "a", "", " a ", "a, b", "a]", "{a", "[a]", "a: b", "a #b", "# a", "it's", "\"a\"", "a\\b", "*a",
    "&a", "!a", "~", "null", "true", "12", "1e5", "-", "- a", "a\nb", "a\n", "\n", "a\tb", "\u{1}",
    "\u{85}", "\u{2028}", "é 😀", "<<", "---", "?", ":", "@a", "`a", "%a", "|", ">", "0x10", "=",
  ])
  func textsAreReadBack(text: String) throws {
    // The library would write a merge key.
    let key = text == "<<" ? "a" : text
    let sample = Sample(
      name: text, inner: .init(name: text, deep: [key: text], list: [text, "b"]),
      list: ["a", text], number: 0.5, big: .max)
    let yaml = try RecipeWriter.text(sample, heading: "A heading\nof two lines") { path in
      path == "name" ? "a comment" : nil
    }
    #expect(try RecipeDecoder.decode(yaml: yaml, file: "r.yaml") == sample, "\(yaml)")
  }

  /// Numbers are written as people do, and lose nothing.
  @Test(arguments: [
    (0.5, "0.5"), (1, "1"), (3e-4, "3e-4"), (1e-5, "1e-05"), (1e15, "1e+15"), (128, "128"),
    (1.17, "1.17"),
  ])
  func numbersAreShort(number: Double, text: String) throws {
    #expect(try RecipeWriter.line([number]) == "[\(text)]")
    #expect(try RecipeDecoder.decode(yaml: "[\(text)]", file: "r.yaml") == [number])
  }
}
