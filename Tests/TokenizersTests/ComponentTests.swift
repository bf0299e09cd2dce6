import Testing

@testable import Tokenizers

/// Normalizers and pre-tokenizers, by the words that a model gets.
@Suite struct ComponentTests {
  private static let bytes =
    #"{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}"#

  private func tokenizer(normalizer: String? = nil, words: String? = nil) throws -> Tokenizer {
    let steps = [words, Self.bytes].compactMap { $0 }.joined(separator: ", ")
    var sections = [
      "model": Model.letters,
      "pre_tokenizer": #"{"type": "Sequence", "pretokenizers": [\#(steps)]}"#,
    ]
    sections["normalizer"] = normalizer
    return try TokenizerFolder(sections: sections).open()
  }

  @Test(
    arguments: [
      (#"{"type": "NFC"}"#, "e\u{301}\u{323} Å", "ẹ́ Å"),
      // Marks that Foundation leaves out of order, old Hangul, and three vowel signs in one.
      (#"{"type": "NFC"}"#, "a\u{332}\u{F73}", "a\u{F71}\u{F72}\u{332}"),
      (#"{"type": "NFC"}"#, "\u{1113}\u{116E}\u{1100}\u{1161}\u{11A8}", "\u{1113}\u{116E}각"),
      (#"{"type": "NFC"}"#, "\u{CC6}\u{CC2}\u{CD5}", "\u{CCB}"),
      // Characters of Unicode 14 and later stay, and marks do not move past them.
      (#"{"type": "NFKC"}"#, "\u{A7F2}ﬁ\u{1ACF}", "\u{A7F2}fi\u{1ACF}"),
      (#"{"type": "NFD"}"#, "각é", "\u{1100}\u{1161}\u{11A8}e\u{301}"),
      (#"{"type": "NFKD"}"#, "①½", "1" + "1\u{2044}2"),
      (#"{"type": "Lowercase"}"#, "İΣ", "i\u{307}σ"),
      (#"{"type": "Strip", "strip_left": true, "strip_right": false}"#, "\u{85} a ", "a "),
      (#"{"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": "_"}"#, "a \n b", "a_b"),
      (#"{"type": "Replace", "pattern": {"String": "aa"}, "content": "b"}"#, "aaaaa", "bba"),
      (#"{"type": "Prepend", "prepend": "_"}"#, "a", "_a"),
      (#"{"type": "Nmt"}"#, "a\u{1}\u{200B}b", "a b"),
      (#"{"type": "BertNormalizer"}"#, "É漢\u{0}\tx", "e 漢  x"),
      (
        #"{"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}]}"#, "éö",
        "eo"
      ),
    ])
  func normalizersChangeTexts(normalizer: String, text: String, expected: String) throws {
    let words = try tokenizer(normalizer: normalizer).words(text)
    #expect(same(words, [expected]), "\(words)")
  }

  @Test(
    arguments: [
      (#"{"type": "WhitespaceSplit"}"#, "a  b\u{3000}c", ["a", "b", "c"]),
      (#"{"type": "Whitespace"}"#, "ab, c²", ["ab", ",", "c", "²"]),
      (#"{"type": "BertPreTokenizer"}"#, "ab, c$", ["ab", ",", "c", "$"]),
      (#"{"type": "Punctuation", "behavior": "Contiguous"}"#, "a..b", ["a", "..", "b"]),
      (#"{"type": "Digits", "individual_digits": true}"#, "a12", ["a", "1", "2"]),
      (#"{"type": "Digits"}"#, "a12b", ["a", "12", "b"]),
      (#"{"type": "CharDelimiterSplit", "delimiter": "x"}"#, "axbx", ["a", "b"]),
      (#"{"type": "FixedLength", "length": 2}"#, "abcde", ["ab", "cd", "e"]),
      (#"{"type": "ByteLevel", "add_prefix_space": true}"#, "it's  1é", ["x"]),
      (#"{"type": "Metaspace", "replacement": "_"}"#, "a b", ["_a", "_b"]),
      (
        #"{"type": "Metaspace", "replacement": "_", "prepend_scheme": "never", "split": false}"#,
        "a b", ["a_b"]
      ),
      (
        #"{"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious"}"#,
        "a b  c", ["a ", "b ", " ", "c"]
      ),
      (
        #"{"type": "Split", "pattern": {"Regex": "[A-Z]"}, "behavior": "MergedWithNext"}"#, "aBcD",
        ["a", "Bc", "D"]
      ),
      (
        #"{"type": "Split", "pattern": {"Regex": "b+"}, "behavior": "Removed", "invert": true}"#,
        "abbab", ["bb", "b"]
      ),
      (
        #"{"type": "Split", "pattern": {"Regex": "b"}, "behavior": "Isolated"}"#, "abbc",
        ["a", "b", "b", "c"]
      ),
    ])
  func preTokenizersSplitTexts(words: String, text: String, expected: [String]) throws {
    guard !words.contains("ByteLevel") else {
      // Its letters stand for the bytes of letters here; what it makes of a blank shows where words
      // begin.
      let found = try TokenizerFolder(
        sections: ["model": Model.letters, "pre_tokenizer": words]
      ).open().words(text)
      #expect(same(found, [" it", "'s", " ", " 1", "é"]), "\(found)")
      return
    }
    let found = try tokenizer(words: words).words(text)
    #expect(same(found, expected), "\(found)")
  }
}
