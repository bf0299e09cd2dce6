import Testing

@testable import Tokenizers

/// Regular expressions in the syntax of tokenizer files.
@Suite struct PatternTests {
  private func matches(_ pattern: String, _ text: String) throws -> [String] {
    let scalars = Array(text.unicodeScalars)
    return try Pattern(pattern).matches(in: scalars).map {
      String(String.UnicodeScalarView(scalars[$0]))
    }
  }

  @Test(
    arguments: [
      // Alternatives count in their order, not by length.
      ("a|ab", "ab", ["a"]), ("ab|a", "ab", ["ab"]),
      // Categories, negated sets, ranges, nested sets and escapes.
      (#"\p{L}+"#, "añ1漢字 x", ["añ", "漢字", "x"]), (#"[^\s\p{L}\p{N}]+"#, "a..! b", ["..!"]),
      (#"\P{L}"#, "a1", ["1"]), (#"[a-c\]-]+"#, "ab]-d", ["ab]-"]), (#"[^(a[bc])]"#, "abcd", ["d"]),
      (#"\x{4e00}|\u00e9|\x41"#, "一éA", ["一", "é", "A"]),
      (#"\p{Nd}\p{^Nd}"#, "1a12b", ["1a", "2b"]),
      // Repetitions: greedy, lazy, possessive, with bounds.
      ("a{2,3}", "aaaaaaa", ["aaa", "aaa"]), ("a+?b?", "aab", ["a", "ab"]), ("a?+a", "a", []),
      ("(?:ab)+", "ababa", ["abab"]), ("(?:ab){2}", "ababab", ["abab"]),
      ("a{,2}b", "aaab", ["aab"]),
      ("a{x}", "a{x}", ["a{x}"]), ("(?>a+)b|ac", "aac", ["ac"]), ("(?:a|b)*?c", "abc", ["abc"]),
      // What stands around.
      (#"\s+(?!\S)|\s+"#, "a   b ", ["  ", " ", " "]), ("a(?=b)", "acab", ["a"]),
      ("(?<=x)a", "axa", ["a"]), ("(?<!x)a", "xa a", ["a"]), (#"\Aa|b\z"#, "aabb", ["a", "b"]),
      ("^a|b$", "a\nab", ["a", "a", "b"]),
      // Case: simple mappings, so that ſ is s and K is k.
      ("(?i:'s|k)", "'S 'ſ KK", ["'S", "'ſ", "K", "K"]), ("(?i)a|B", "Ab", ["A", "b"]),
      ("(?i:a)b", "AB Ab", ["Ab"]),
      // Empty matches, not just behind another one.
      ("a*", "baa", ["", "aa"]),
    ])
  func findsWhatOnigurumaFinds(pattern: String, text: String, expected: [String]) throws {
    let found = try matches(pattern, text)
    #expect(found.elementsEqual(expected) { $0.unicodeScalars.elementsEqual($1.unicodeScalars) })
  }

  @Test(
    arguments: [
      ("(a", "no )"), ("a)", "unmatched )"), ("[a", "no ]"), ("*a", "nothing to repeat"),
      (#"\bx"#, #"escape \b"#), (#"(a)\1"#, #"escape \1"#), (#"\p{Greek}"#, "property Greek"),
      ("(?:a?)*", "can be empty"), ("[[:alpha:]]", "POSIX"), ("[a&&b]", "intersection"),
      ("(?<name>a)", "kind of group"), ("a{2}?", "{n}?"), ("a{9999}", "bounds"), ("a\\", "\\ at"),
      ("[z-a]", "range"), ("(?<=a*)b", "look behind"), (#"\x{110000}"#, "no character"),
    ])
  func unsupportedSyntaxIsNamed(pattern: String, hint: String) {
    let failure = #expect(throws: PatternParser.Failure.self) { try Pattern(pattern) }
    #expect(failure?.reason.contains(hint) == true, "\(failure?.reason ?? "")")
  }

  @Test func longRunsNeedNoDeepStack() throws {
    let text = String(repeating: "a", count: 100_000) + String(repeating: " ", count: 100_000) + "b"
    let found = try Pattern(#"(?:a|b)+|\s+(?!\S)|\s+"#).matches(in: Array(text.unicodeScalars))
    #expect(found == [0..<100_000, 100_000..<199_999, 199_999..<200_000, 200_000..<200_001])
  }
}
