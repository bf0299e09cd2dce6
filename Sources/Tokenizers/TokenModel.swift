/// The model that splits words into tokens.
enum TokenModel: Sendable {
  case bytePairEncoding(BytePairEncoding)
  case unigram(Unigram)
  case wordPiece(WordPiece)

  /// Reads `model` of tokenizer.json.
  init(_ field: JSONField) throws {
    // Older files name no type; they are of BPE where they have merges.
    let type =
      try field.optional("type")?.string()
      ?? (try field.optional("merges") != nil ? "BPE" : "without a type")
    switch type {
    case "BPE": self = .bytePairEncoding(try BytePairEncoding(field))
    case "Unigram": self = .unigram(try Unigram(field))
    case "WordPiece": self = .wordPiece(try WordPiece(field))
    default:
      throw TokenizerError.unsupported(
        file: field.file, place: field.place, found: type,
        supported: ["BPE", "Unigram", "WordPiece"])
    }
  }

  /// The tokens and their ids.
  var vocabulary: Vocabulary {
    switch self {
    case .bytePairEncoding(let model): model.vocabulary
    case .unigram(let model): model.vocabulary
    case .wordPiece(let model): model.vocabulary
    }
  }

  /// The ids of a word.
  func encode(_ word: [Unicode.Scalar]) -> [Int32] {
    if word.isEmpty { return [] }
    return switch self {
    case .bytePairEncoding(let model): model.encode(word)
    case .unigram(let model): model.encode(word)
    case .wordPiece(let model): model.encode(word)
    }
  }
}

extension Vocabulary {
  /// Reads an object of tokens and their ids.
  init(_ field: JSONField) throws {
    guard case .object(let members) = field.value else {
      throw field.wrong("is \(field.value.kind), and an object of tokens and ids was expected")
    }
    self.init(capacity: members.count)
    for (token, value) in members {
      guard let number = value.double, let id = Int32(exactly: number),
        JSONField.ids.contains(Int(id))
      else {
        throw field.wrong("gives the token \"\(token)\" an id that is not a whole number")
      }
      try add(token, id: id, of: field)
    }
  }

  /// Adds a token that stands in a file.
  mutating func add(_ token: String, id: Int32, of field: JSONField) throws {
    do {
      try add(token, id: id)
    } catch {
      throw TokenizerError.duplicate(
        file: field.file, token: token, id: Int(id), other: error.token, otherID: error.id)
    }
  }
}
