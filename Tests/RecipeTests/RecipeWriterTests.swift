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
}
