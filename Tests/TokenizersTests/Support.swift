import Foundation
import Testing

@testable import Tokenizers

/// A folder of files that is gone with this object.
final class TokenizerFolder {
  let path = NSTemporaryDirectory() + "tokenizer-\(UUID().uuidString)"

  init(_ files: [String: String]) throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in files {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }
  }

  /// A folder with a tokenizer.json of some sections.
  convenience init(sections: [String: String], config: String = "{}") throws {
    let members = sections.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
    try self.init(["tokenizer.json": "{\(members)}", "tokenizer_config.json": config])
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func open() throws -> Tokenizer { try Tokenizer(folder: path) }

  /// Expects that opening ends with one line that contains a hint.
  func expectError(_ hint: String) {
    let error = #expect(throws: TokenizerError.self) { try open() }
    let text = error?.description ?? ""
    #expect(text.contains(hint) && !text.contains("\n"), "\(text)")
  }
}

/// Models of few tokens.
enum Model {
  /// a b c d ab bc abc </s>, merged from the left.
  static let merged = """
    {"type": "BPE", "vocab": {"a": 0, "b": 1, "c": 2, "d": 3, "ab": 4, "bc": 5, "abc": 6, "</s>": 7},
     "merges": [["b", "c"], ["a", "b"], ["a", "bc"]]}
    """

  /// The letters of bytes alone, at the end of words others.
  static var letters: String {
    let letters = (UInt8.min...UInt8.max).map { ByteAlphabet.text([$0]) }
    let tokens = (letters + letters.map { $0 + "|" }).enumerated().map { index, token in
      "\"\(token == "\"" || token == "\\" || token == "\"|" || token == "\\|" ? "\\" : "")\(token)\": \(index)"
    }
    return """
      {"type": "BPE", "end_of_word_suffix": "|", "merges": [],
       "vocab": {\(tokens.joined(separator: ", "))}}
      """
  }
}

extension Tokenizer {
  /// The words of a text, for a tokenizer of letters.
  func words(_ text: String) -> [String] {
    let tokens = encode(text).map { self.token($0)! }
    var (words, bytes) = ([String](), [UInt8]())
    for token in tokens {
      bytes.append(ByteAlphabet.byte(token.unicodeScalars.first!)!)
      if token.unicodeScalars.count == 2 {
        words.append(String(decoding: bytes, as: UTF8.self))
        bytes = []
      }
    }
    return words
  }
}

/// Whether texts are equal scalar by scalar.
func same(_ first: [String], _ second: [String]) -> Bool {
  first.elementsEqual(second) { $0.unicodeScalars.elementsEqual($1.unicodeScalars) }
}
