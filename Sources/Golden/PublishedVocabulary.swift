import Foundation
import Tokenizers

/// The vocabulary of a published model, as another project's file: the ranks of Qwen's tokens in
/// tiktoken's format, or the merges of CLIP.
struct PublishedVocabulary {
  /// The file's name, without `.gz`.
  let fileName: String
  private let golden: GoldenCase
  private let addedTokens: [String: Int]

  private struct Settings: Decodable {
    struct Vocabulary: Decodable { let file: String }
    let real_vocabulary: Vocabulary?
    let added_tokens_real: [String: Int]?
  }

  /// The folder of such files.
  static var folder: String? {
    ProcessInfo.processInfo.environment["TWINFLOW_VOCABULARIES"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Reads which file a case names.
  ///
  /// - Throws: `GoldenError.wrongCase` where it names none.
  init(of golden: GoldenCase) throws {
    self.golden = golden
    let settings: Settings = try golden.settings()
    guard let file = settings.real_vocabulary?.file else {
      throw golden.fail("its config.json names no file of a real_vocabulary")
    }
    let name = URL(fileURLWithPath: file).lastPathComponent
    fileName = name.hasSuffix(".gz") ? String(name.dropLast(3)) : name
    addedTokens = settings.added_tokens_real ?? [:]
  }

  /// The file's path; nil where it is not there.
  var path: String? {
    Self.folder.map { $0 + "/" + fileName }.flatMap {
      FileManager.default.fileExists(atPath: $0) ? $0 : nil
    }
  }

  /// The tokenizer, read from a folder as published models have it.
  ///
  /// - Throws: `GoldenError.wrongCase`, and the tokenizer's errors.
  func tokenizer() throws -> Tokenizer {
    guard let path else { throw golden.fail("its \(fileName) was not found") }
    let text = try String(contentsOfFile: path, encoding: .utf8)
    let lines = text.split(separator: "\n", omittingEmptySubsequences: true).map(String.init)
    let files = try fileName.hasSuffix(".tiktoken") ? qwen(lines) : clip(lines)
    let folder = NSTemporaryDirectory() + "twinflow-vocabulary-\(UUID().uuidString)"
    let manager = FileManager.default
    try manager.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? manager.removeItem(atPath: folder) }
    try files.write(to: folder)
    return try golden.naming { try Tokenizer(folder: folder) }
  }

  /// What stands in the files of a folder.
  private struct Files {
    var tokens: [(String, Int)]
    var merges: [String]
    var className: String
    var addedTokens: [(String, Int)]
    /// Added tokens that are found whatever their case.
    var normalizedTokens: Set<String> = []

    func write(to folder: String) throws {
      func quoted(_ text: String) -> String {
        let escaped = text.unicodeScalars.map { scalar in
          scalar == "\"" || scalar == "\\" ? "\\\(scalar)" : "\(scalar)"
        }
        return "\"\(escaped.joined())\""
      }
      let vocabulary = tokens.map { "\(quoted($0.0)): \($0.1)" }.joined(separator: ",\n")
      try Data("{\(vocabulary)}".utf8).write(to: URL(fileURLWithPath: folder + "/vocab.json"))
      let lines = ["#version: 0.2"] + merges
      try Data((lines.joined(separator: "\n") + "\n").utf8)
        .write(to: URL(fileURLWithPath: folder + "/merges.txt"))
      let added = addedTokens.map {
        "\"\($0.1)\": {\"content\": \(quoted($0.0)), \"special\": true, "
          + "\"normalized\": \(normalizedTokens.contains($0.0))}"
      }
      let config = "{\"tokenizer_class\": \"\(className)\", \"added_tokens_decoder\": {"
      try Data((config + added.joined(separator: ", ") + "}}").utf8)
        .write(to: URL(fileURLWithPath: folder + "/tokenizer_config.json"))
    }
  }

  /// Lines of a token's bytes in Base64 and its rank, which is its id. The two parts of a merge are
  /// what the merges of lower ranks leave of a token.
  private func qwen(_ lines: [String]) throws -> Files {
    var ranks: [[UInt8]: Int] = [:]
    for line in lines {
      let parts = line.split(separator: " ")
      guard parts.count == 2, let token = Data(base64Encoded: String(parts[0])),
        let rank = Int(parts[1])
      else { throw golden.fail("its \(fileName) has the line \(line)") }
      ranks[Array(token)] = rank
    }
    var merges: [String] = []
    let sorted = ranks.sorted { $0.value < $1.value }
    for (token, rank) in sorted where token.count > 1 {
      var parts = token.map { [$0] }
      while parts.count > 2 {
        let pairs = zip(parts, parts.dropFirst()).map { ranks[$0 + $1] ?? .max }
        guard let least = pairs.indices.min(by: { pairs[$0] < pairs[$1] }), pairs[least] < rank
        else { throw golden.fail("its \(fileName) has no two parts for rank \(rank)") }
        parts[least] += parts.remove(at: least + 1)
      }
      merges.append(parts.map(ByteAlphabet.text).joined(separator: " "))
    }
    return Files(
      tokens: sorted.map { (ByteAlphabet.text($0.key), $0.value) }, merges: merges,
      className: "Qwen2Tokenizer", addedTokens: addedTokens.sorted { $0.value < $1.value })
  }

  /// A line of a version, then merges, of which CLIP uses the first 48,894. Its ids are the
  /// characters of bytes, the same at the end of words, merges, and the two special tokens.
  private func clip(_ lines: [String]) throws -> Files {
    let merges = Array(lines.dropFirst().prefix(48_894))
    guard merges.count == 48_894 else {
      throw golden.fail("its \(fileName) has \(lines.count) lines, and 48895 were expected")
    }
    let letters = (0...255).map { ByteAlphabet.text([UInt8($0)]) }
      .sorted { $0.unicodeScalars.first! < $1.unicodeScalars.first! }
    let merged = merges.map { $0.split(separator: " ").joined() }
    let special = ["<|startoftext|>", "<|endoftext|>"]
    let tokens = letters + letters.map { $0 + "</w>" } + merged + special
    let numbered = tokens.enumerated().map { ($0.element, $0.offset) }
    return Files(
      tokens: numbered, merges: merges, className: "CLIPTokenizer",
      addedTokens: numbered.suffix(special.count), normalizedTokens: [special[0]])
  }
}
