/// What can be wrong with a tokenizer's files.
public enum TokenizerError: Error, Equatable, CustomStringConvertible {
  /// A folder holds no tokenizer.
  case notFound(folder: String)
  /// A file is not valid JSON.
  case invalidJSON(file: String, byte: Int, reason: String)
  /// A value of a file is missing or not what it should be.
  case wrongValue(file: String, place: String, reason: String)
  /// A line of a list of merges is not two tokens.
  case wrongMerge(file: String, merge: Int, text: String)
  /// A merge needs a token that the vocabulary does not have.
  case unknownToken(file: String, merge: Int, token: String)
  /// Two tokens have the same id, or a token is there twice.
  case duplicate(file: String, token: String, id: Int, other: String, otherID: Int)
  /// Texts are to be padded, and the files name no padding token.
  case noPaddingToken(folder: String)
  /// A kind of component that is not implemented.
  case unsupported(file: String, place: String, found: String, supported: [String])

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .notFound(let folder):
      "\(folder) holds no tokenizer: it has neither tokenizer.json nor vocab.json with merges.txt. "
        + "Name the folder that holds them."
    case .invalidJSON(let file, let byte, let reason):
      "\(file) is not valid JSON: \(reason) at byte \(byte). Fetch the file again."
    case .wrongValue(let file, let place, let reason):
      "\(file) is not a valid tokenizer: \(place) \(reason)."
    case .wrongMerge(let file, let merge, let text):
      "\(file) is not a valid tokenizer: merge \(merge) is \"\(text)\", and two tokens with one "
        + "blank between them were expected."
    case .unknownToken(let file, let merge, let token):
      "\(file) does not match its vocabulary: merge \(merge) needs the token \"\(token)\", which the "
        + "vocabulary does not have. Fetch both again from the same place."
    case .duplicate(let file, let token, let id, let other, let otherID):
      token == other
        ? "\(file) is not a valid tokenizer: the token \"\(token)\" has the ids \(otherID) and \(id)."
        : "\(file) is not a valid tokenizer: the tokens \"\(other)\" and \"\(token)\" have the same "
          + "id \(id)."
    case .noPaddingToken(let folder):
      "\(folder) names no padding token, and texts of different lengths need one. Set pad_token in "
        + "its tokenizer_config.json."
    case .unsupported(let file, let place, let found, let supported):
      "\(file) cannot be used: \(place) is \(found), and only \(supported.joined(separator: ", ")) "
        + "are supported."
    }
  }
}
