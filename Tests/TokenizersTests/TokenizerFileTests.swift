import Testing

@testable import Tokenizers

/// Files of tokenizers: what stands beside tokenizer.json, and damaged ones.
@Suite struct TokenizerFileTests {
  @Test func classesAreBuiltFromVocabularyAndMerges() throws {
    let clip = try TokenizerFolder([
      "vocab.json": #"{"a": 0, "b</w>": 1, "ab</w>": 2, "<|startoftext|>": 3, "<|endoftext|>": 4}"#,
      "merges.txt": "#version: 0.2\na b</w>\n",
      "tokenizer_config.json": #"{"tokenizer_class": "CLIPTokenizerFast"}"#,
    ]).open()
    #expect(clip.encode("AB  ab") == [3, 2, 2, 4])
    #expect(clip.decode([3, 2, 2, 4]) == "ab ab")
    #expect(clip.paddingToken == 4)
    let qwen = try TokenizerFolder([
      "vocab.json": #"{"a": 0, "b": 1, "ab": 2, "Ġ": 3}"#, "merges.txt": "a b\r\n",
      "tokenizer_config.json": """
      {"tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "added_tokens_decoder":
       {"4": {"content": "<|im_end|>", "special": true}, "5": {"content": "<x>"}}}
      """, "special_tokens_map.json": #"{"pad_token": "<|im_end|>"}"#,
    ]).open()
    #expect(qwen.encode("ab<|im_end|> <x>a") == [2, 4, 3, 5, 0])
    #expect(qwen.endToken == 4 && qwen.paddingToken == 4 && qwen.startToken == nil)
  }

  /// The padding token of CLIP's second text encoder is "!", and is cut out of texts as in
  /// transformers.
  @Test func tokensOfTheConfigAreAdded() throws {
    let model = #"{"type": "BPE", "merges": [["a", "!"]], "vocab": {"a": 0, "!": 1, "a!": 2}}"#
    let plain = try TokenizerFolder(sections: ["model": model]).open()
    #expect(plain.encode("a!") == [2])
    for config in [
      #"{"pad_token": "!"}"#, #"{"additional_special_tokens": ["!"]}"#,
      #"{"added_tokens_decoder": {"1": {"content": "!"}}}"#,
      #"{"extra_special_tokens": {"x": "!"}}"#,
    ] {
      let tokenizer = try TokenizerFolder(sections: ["model": model], config: config).open()
      #expect(tokenizer.encode("a!") == [0, 1], "\(config)")
    }
    let start = try TokenizerFolder(
      sections: ["model": model], config: #"{"bos_token": "a", "add_bos_token": true}"#
    ).open()
    #expect(start.encode("!") == [0, 1])
  }

  /// Swift's strings are equal where they are canonically equivalent; tokens are not.
  @Test func equivalentTokensAreDifferent() throws {
    let model =
      "{\"type\": \"BPE\", \"merges\": [], \"vocab\": {\"é\": 0, \"e\u{301}\": 1, \"e\": 2}}"
    let tokenizer = try TokenizerFolder(sections: ["model": model]).open()
    #expect(tokenizer.id(of: "\u{E9}") == 0 && tokenizer.id(of: "e\u{301}") == 1)
  }

  @Test(
    arguments: [
      ("model", #"{"type": "WordLevel"}"#, "model is WordLevel, and only BPE, Unigram, WordPiece"),
      ("normalizer", #"{"type": "Fold"}"#, "normalizer is Fold, and only"),
      ("pre_tokenizer", #"{"type": "UnicodeScripts"}"#, "pre_tokenizer is UnicodeScripts"),
      (
        "pre_tokenizer", #"{"type": "Sequence", "pretokenizers": [{"type": "X"}]}"#,
        "pre_tokenizer.pretokenizers[0] is X"
      ),
      (
        "pre_tokenizer",
        #"{"type": "Split", "pattern": {"Regex": "\\p{Greek}"}, "behavior": "Isolated"}"#,
        #"pre_tokenizer.pattern.Regex (\p{Greek}) has the property Greek, which is not supported"#
      ),
      (
        "pre_tokenizer", #"{"type": "Split", "pattern": {"String": "a"}, "behavior": "Joined"}"#,
        "pre_tokenizer.behavior is Joined"
      ),
      ("post_processor", #"{"type": "Other"}"#, "post_processor is Other"),
      ("decoder", #"{"type": "CTC"}"#, "decoder is CTC"),
      ("decoder", "[1]", "decoder is a list, and an object was expected"),
      ("normalizer", #"{"type": "Precompiled", "precompiled_charsmap": "AAAA"}"#, "truncated"),
      ("model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b"]]}"#, "merge 0 needs"),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": ["a a"]}"#, "needs the token \"aa\""
      ),
      ("model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": ["a  a"]}"#, "merge 0 is \"a  a\""),
      ("model", #"{"type": "BPE", "vocab": {"a": 0, "b": 0}, "merges": []}"#, "have the same id 0"),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0, "a": 1}, "merges": []}"#, "has the ids 0 and 1"
      ),
      ("model", #"{"type": "BPE", "vocab": {"a": -1}, "merges": []}"#, "not a whole number"),
      ("model", #"{"type": "BPE", "vocab": {"a": 0}}"#, "has no merges"),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [], "dropout": 0.1}"#,
        "model.dropout is 0.1"
      ),
      (
        "model", #"{"type": "BPE", "vocab": {"a": 0}, "merges": [], "unk_token": "b"}"#,
        "the unk_token \"b\""
      ),
      ("model", #"{"type": "Unigram", "vocab": [["a", 1]]}"#, "has no unk_id"),
      ("model", #"{"type": "Unigram", "vocab": [["a", 1]], "unk_id": 1}"#, "from 0 to 0"),
      ("model", #"{"type": "Unigram", "vocab": [["a"]], "unk_id": 0}"#, "a piece and its score"),
      ("added_tokens", #"[{"id": 1, "content": "a"}]"#, "the token \"a\" has the ids 0 and 1"),
      ("added_tokens", #"[{"id": 0, "content": "x"}]"#, "the tokens \"a\" and \"x\" have the same"),
      ("added_tokens", #"[{"content": "x"}]"#, "added_tokens[0] has no id"),
    ])
  func damagedSectionsAreNamed(section: String, text: String, hint: String) throws {
    var sections = ["model": Model.merged]
    sections[section] = text
    try TokenizerFolder(sections: sections).expectError(hint)
  }

  @Test(
    arguments: [
      ("", "the text ends at byte 0"), ("{\"a\": 1", "\"}\" was expected at byte 7"),
      ("{\"a\": tru}", "a value was expected at byte 6"), ("{} x", "text after the value"),
      (#"{"a": "\ud800"}"#, "half of a surrogate pair"), (#"{"a": "\x"}"#, "an unknown escape"),
      ("{\"a\": \"\n\"}", "a control character"), ("{\"a\": \"", "a string does not end"),
      (String(repeating: "[", count: 10_000), "nested more than 200 deep"), ("{a: 1}", "quotes"),
      ("{}", "the file has no model"), ("[]", "the file is a list"),
      ("{\"model\": 1-2}", "\"}\" was expected at byte 11"),
    ])
  func damagedJSONIsNamed(text: String, hint: String) throws {
    try TokenizerFolder(["tokenizer.json": text]).expectError(hint)
  }

  @Test func foldersWithoutATokenizerAreNamed() throws {
    try TokenizerFolder([:]).expectError("holds no tokenizer")
    try TokenizerFolder(["vocab.json": "{}"]).expectError("neither tokenizer.json nor vocab.json")
    let files = ["vocab.json": #"{"a": 0}"#, "merges.txt": "a a a\n"]
    try TokenizerFolder(files).expectError("tokenizer_class is missing, and only Qwen2Tokenizer")
    let other = #"{"tokenizer_class": "GPT2Tokenizer"}"#
    try TokenizerFolder(files.merging(["tokenizer_config.json": other]) { $1 })
      .expectError("tokenizer_class is GPT2Tokenizer")
    let qwen = #"{"tokenizer_class": "Qwen2Tokenizer"}"#
    try TokenizerFolder(files.merging(["tokenizer_config.json": qwen]) { $1 })
      .expectError("merge 0 is \"a a a\"")
  }
}
