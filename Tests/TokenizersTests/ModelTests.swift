import Testing

@testable import Tokenizers

/// Models, and what is around them.
@Suite struct ModelTests {
  @Test(
    arguments: [
      // The lowest rank first, and of equal ones the leftmost.
      ("abc", [6]), ("abab", [4, 4]), ("abbc", [4, 5]), ("bcbc", [5, 5]), ("aabc", [0, 6]),
      ("", []),
      // Characters that the vocabulary does not have are left out where there is no unk_token.
      ("axb", [4]),
    ] as [(String, [Int32])])
  func bytePairsAreMergedByRank(text: String, expected: [Int32]) throws {
    let tokenizer = try TokenizerFolder(sections: ["model": Model.merged]).open()
    #expect(tokenizer.encode(text) == expected)
  }

  @Test(
    arguments: [
      (#""unk_token": "?""#, "xya", [0, 0, 1]),
      (#""unk_token": "?", "fuse_unk": true"#, "xya", [0, 1]),
      (#""unk_token": "?", "byte_fallback": true"#, "Aé", [3, 0]),
      (#""ignore_merges": true"#, "aa", [2]), (#""ignore_merges": false"#, "aa", [1, 1]),
    ] as [(String, String, [Int32])])
  func optionsOfBytePairsCount(options: String, text: String, expected: [Int32]) throws {
    let model = """
      {"type": "BPE", \(options), "merges": [], "vocab": {"?": 0, "a": 1, "aa": 2, "<0x41>": 3}}
      """
    #expect(try TokenizerFolder(sections: ["model": model]).open().encode(text) == expected)
  }

  /// Without a heap it would take hours.
  @Test func aTextMayBeOneWord() throws {
    let tokenizer = try TokenizerFolder(sections: ["model": Model.merged]).open()
    let ids = tokenizer.encode(String(repeating: "abcb", count: 50_000))
    #expect(ids.count == 100_000)
    #expect(ids.prefix(4) == [6, 1, 6, 1] && ids.suffix(2) == [6, 1])
  }

  /// The example of Hugging Face's own documentation, and unknown characters.
  @Test(
    arguments: [
      ("abcdacdxx", [8, 1, 5, 0]), ("abc", [7]), ("xa", [0, 1]), ("", []),
    ] as [(String, [Int32])])
  func unigramsHaveTheGreatestScore(text: String, expected: [Int32]) throws {
    let model = """
      {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0.0], ["a", 0.0], ["b", 0.0], ["c", 0.0],
       ["d", 0.0], ["cd", 1.0], ["ab", 2.0], ["abc", 5.0], ["abcd", 10.0]]}
      """
    #expect(try TokenizerFolder(sections: ["model": model]).open().encode(text) == expected)
  }

  @Test(
    arguments: [
      ("unaffable", [1, 2, 3]), ("un un", [1, 1]), ("unx", [0]), ("ununununun", [0]),
    ] as [(String, [Int32])])
  func wordPiecesAreTheLongest(text: String, expected: [Int32]) throws {
    let tokenizer = try TokenizerFolder(sections: [
      "model": """
      {"type": "WordPiece", "unk_token": "?", "continuing_subword_prefix": "##",
       "max_input_chars_per_word": 9,
       "vocab": {"?": 0, "un": 1, "##aff": 2, "##able": 3, "##a": 4}}
      """, "pre_tokenizer": #"{"type": "WhitespaceSplit"}"#,
      "decoder": ###"{"type": "WordPiece", "prefix": "##", "cleanup": true}"###,
    ]).open()
    #expect(tokenizer.encode(text) == expected)
    if text == "unaffable" { #expect(tokenizer.decode(expected + [1]) == "unaffable un") }
  }

  private let around = """
    {"type": "TemplateProcessing", "single": [{"Sequence": {"id": "A", "type_id": 0}},
     {"SpecialToken": {"id": "</s>", "type_id": 0}}],
     "special_tokens": {"</s>": {"id": "</s>", "ids": [7], "tokens": ["</s>"]}}}
    """
  private let special = #"[{"id": 7, "content": "</s>", "special": true}]"#

  @Test func textsAreTruncatedAndPadded() throws {
    let tokenizer = try TokenizerFolder(
      sections: ["model": Model.merged, "post_processor": around, "added_tokens": special],
      config: #"{"pad_token": "a", "eos_token": {"content": "</s>"}, "model_max_length": 77}"#
    ).open()
    #expect(tokenizer.encode("dddd") == [3, 3, 3, 3, 7])
    #expect(tokenizer.encode("dddd", addSpecialTokens: false) == [3, 3, 3, 3])
    #expect(tokenizer.encode("dddd", limit: 3) == [3, 3, 7])
    #expect(tokenizer.count("d</s>d") == 4)
    let batch = try tokenizer.encode(["d", "dddd"], limit: 4)
    #expect(batch.ids == [3, 7, 0, 0, 3, 3, 3, 7] && batch.count == 2 && batch.length == 4)
    #expect(batch.isToken == [true, true, false, false, true, true, true, true])
    let left = try tokenizer.encode(["d"], limit: 3, padsToLimit: true, side: .left)
    #expect(left.ids == [0, 3, 7] && left.isToken == [false, true, true])
    #expect(tokenizer.longest == 77 && tokenizer.endToken == 7 && tokenizer.paddingToken == 0)
    #expect(tokenizer.startToken == nil && tokenizer.vocabularyCount == 8)
    #expect(tokenizer.id(of: "abc") == 6 && tokenizer.token(6) == "abc")
    #expect(tokenizer.id(of: "x") == nil && tokenizer.token(9) == nil)
    #expect(tokenizer.decode([3, 7, 6, 99]) == "d abc")
    #expect(tokenizer.decode([3, 7], skipSpecialTokens: false) == "d </s>")
    let unpadded = try TokenizerFolder(sections: ["model": Model.merged]).open()
    #expect(throws: TokenizerError.noPaddingToken(folder: unpadded.folder)) {
      try unpadded.encode(["a", "dd"])
    }
    #expect(try unpadded.encode(["a", "d"]).ids == [0, 3])
  }

  @Test(
    arguments: [
      ("{}", "dzd", [3, 9, 3]), (#"{"lstrip": true}"#, "d  zd", [3, 9, 3]),
      (#"{"rstrip": true}"#, "z  d", [9, 3]), (#"{"single_word": true}"#, "dz z", [3, 9]),
      (#"{"single_word": true}"#, "z,z_z", [9]), (#"{"normalized": true}"#, "dZ", [3, 9]),
      (#"{"normalized": false}"#, "dZ", [3]), (#"{"normalized": false}"#, "zz", [10]),
    ] as [(String, String, [Int32])])
  func flagsOfAddedTokensCount(flags: String, text: String, expected: [Int32]) throws {
    let members = flags == "{}" ? "" : ", " + flags.dropFirst().dropLast()
    let tokenizer = try TokenizerFolder(sections: [
      "model": Model.merged, "normalizer": #"{"type": "Lowercase"}"#,
      "added_tokens": """
      [{"id": 9, "content": "z", "special": true\(members)},
       {"id": 10, "content": "zz", "special": true}]
      """,
    ]).open()
    #expect(tokenizer.encode(text) == expected)
  }
}
