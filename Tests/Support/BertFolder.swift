import Foundation

/// The folder of a small BERT with random weights and a tokenizer of a few words.
public enum BertFolder {
  private static let words = [
    "[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "red", "green", "fox", "cat", "dog", "house", "in",
    "the", "snow", "picture", "of", "##s", "##es", "on", "hill",
  ]

  private static var fixture: String {
    URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/golden/te_bert/model").standardized.path
  }

  /// Makes the folder.
  ///
  /// - Throws: the errors of copying and writing files.
  public static func write(_ path: String) throws {
    let manager = FileManager.default
    try manager.createDirectory(
      atPath: (path as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try manager.copyItem(atPath: fixture, toPath: path)
    let vocabulary = words.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
    let special = (0..<4).map {
      """
      {"id": \($0), "content": "\(words[$0])", "single_word": false, "lstrip": false,
       "rstrip": false, "normalized": false, "special": true}
      """
    }.joined(separator: ", ")
    let around = ["[CLS]", "[SEP]"].map {
      "\"\($0)\": {\"id\": \"\($0)\", \"ids\": [\(words.firstIndex(of: $0)!)], \"tokens\": [\"\($0)\"]}"
    }.joined(separator: ", ")
    try write(
      """
      {"added_tokens": [\(special)],
       "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true,
        "strip_accents": null, "lowercase": true},
       "pre_tokenizer": {"type": "BertPreTokenizer"},
       "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}},
                   {"Sequence": {"id": "A", "type_id": 0}},
                   {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [], "special_tokens": {\(around)}},
       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
       "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##",
        "max_input_chars_per_word": 100, "vocab": {\(vocabulary)}}}
      """, to: "\(path)/tokenizer.json")
    try write(
      #"{"tokenizer_class": "BertTokenizer", "pad_token": "[PAD]", "unk_token": "[UNK]"}"#,
      to: "\(path)/tokenizer_config.json")
  }

  private static func write(_ text: String, to path: String) throws {
    try Data(text.utf8).write(to: URL(filePath: path))
  }
}
