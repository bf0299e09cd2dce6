/// WordPiece (Wu et al., 2016, "Google's Neural Machine Translation System"): from the left, always
/// the longest piece of the vocabulary.
struct WordPiece: Sendable {
  let vocabulary: Vocabulary
  private let unknown: Int32
  private let prefix: [UInt8]
  private let longest: Int

  /// Reads `model` of tokenizer.json.
  init(_ field: JSONField) throws {
    vocabulary = try Vocabulary(field.required("vocab"))
    prefix = Array(try field.required("continuing_subword_prefix").string().utf8)
    longest = try field.required("max_input_chars_per_word").int()
    let token = try field.required("unk_token")
    guard let unknown = vocabulary.id(of: try token.string()) else {
      throw token.wrong("is \"\(try token.string())\", which the vocabulary does not have")
    }
    self.unknown = unknown
  }

  /// The ids of a word.
  func encode(_ word: [Unicode.Scalar]) -> [Int32] {
    guard word.count <= longest else { return [unknown] }
    var ids: [Int32] = []
    var rest = word[...]
    while !rest.isEmpty {
      var candidate = rest
      var found: Int32?
      while found == nil, !candidate.isEmpty {
        let utf8 = candidate.flatMap { UTF8.encode($0)! }
        found = vocabulary.id(of: ids.isEmpty ? utf8 : prefix + utf8)
        if found == nil { candidate.removeLast() }
      }
      guard let found else { return [unknown] }
      ids.append(found)
      rest = rest[candidate.endIndex...]
    }
    return ids
  }
}
