/// What makes text of tokens.
indirect enum Decoder: Sendable {
  case byteLevel
  case metaspace(PreTokenizer.Metaspace)
  case wordPiece(prefix: String, cleansUp: Bool)
  case bpe(suffix: String)
  case byteFallback
  case fuse
  case strip(Unicode.Scalar, start: Int, stop: Int)
  case replace(TextFinder, [Unicode.Scalar])
  case sequence([Decoder])

  /// Reads a field by its `type`.
  init(_ field: JSONField) throws {
    let type = try field.required("type").string()
    switch type {
    case "ByteLevel": self = .byteLevel
    case "Metaspace": self = .metaspace(try PreTokenizer.Metaspace(field))
    case "WordPiece":
      self = .wordPiece(
        prefix: try field.required("prefix").string(),
        cleansUp: try field.required("cleanup").bool())
    case "BPEDecoder": self = .bpe(suffix: try field.required("suffix").string())
    case "ByteFallback": self = .byteFallback
    case "Fuse": self = .fuse
    case "Strip":
      self = .strip(
        try field.required("content").scalar(), start: try field.required("start").int(),
        stop: try field.required("stop").int())
    case "Replace":
      self = .replace(
        try TextFinder(field.required("pattern")),
        Array(try field.required("content").string().unicodeScalars))
    case "Sequence":
      self = .sequence(try field.required("decoders").elements().map { try Decoder($0) })
    default:
      throw TokenizerError.unsupported(
        file: field.file, place: field.place, found: type,
        supported: [
          "BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Sequence",
          "Strip", "WordPiece",
        ])
    }
  }

  /// The texts of tokens, one or more for all; they are joined without anything between them.
  func callAsFunction(_ tokens: [String]) -> [String] {
    switch self {
    case .byteLevel:
      let bytes = tokens.flatMap { token -> [UInt8] in
        let bytes = token.unicodeScalars.compactMap(ByteAlphabet.byte)
        // Added tokens may hold characters that stand for no byte.
        return bytes.count == token.unicodeScalars.count ? bytes : Array(token.utf8)
      }
      return [String(decoding: bytes, as: UTF8.self)]
    case .metaspace(let metaspace):
      return tokens.enumerated().map { index, token in
        token.mappingScalars { scalar in
          guard scalar == metaspace.replacement else { return scalar }
          return index == 0 && metaspace.prepends != .never ? nil : " "
        }
      }
    case .wordPiece(let prefix, let cleansUp):
      return tokens.enumerated().map { index, token in
        var token = token
        if index > 0 {
          let rest = token.unicodeScalars.dropFirst(prefix.unicodeScalars.count)
          token =
            token.utf8.starts(with: prefix.utf8)
            ? String(String.UnicodeScalarView(rest))
            : " " + token
        }
        return cleansUp ? Self.cleanedUp(token) : token
      }
    case .bpe(let suffix):
      return tokens.enumerated().map { index, token in
        token.replacing(suffix, with: index == tokens.count - 1 ? "" : " ")
      }
    case .byteFallback: return Self.joinedBytes(tokens)
    case .fuse: return [tokens.joined()]
    case .strip(let content, let start, let stop):
      return tokens.map { token in
        let scalars = Array(token.unicodeScalars)
        let first = scalars.prefix(start).prefix { $0 == content }.count
        let last = scalars[first...].reversed().prefix(stop).prefix { $0 == content }.count
        return String(String.UnicodeScalarView(scalars[first..<scalars.count - last]))
      }
    case .replace(let finder, let content):
      return tokens.map {
        let scalars = finder.replace(in: Array($0.unicodeScalars), with: content)
        return String(String.UnicodeScalarView(scalars))
      }
    case .sequence(let decoders): return decoders.reduce(tokens) { $1($0) }
    }
  }

  /// Tokens such as `<0x41>` in a row as the text of their bytes, or a replacement character each.
  private static func joinedBytes(_ tokens: [String]) -> [String] {
    var result: [String] = []
    var bytes: [UInt8] = []
    func finish() {
      if let text = String(validating: bytes, as: UTF8.self) {
        if !bytes.isEmpty { result.append(text) }
      } else {
        result += Array(repeating: "\u{FFFD}", count: bytes.count)
      }
      bytes = []
    }
    for token in tokens {
      let utf8 = Array(token.utf8)
      if utf8.count == 6, utf8.starts(with: "<0x".utf8), utf8[5] == UInt8(ascii: ">"),
        let byte = UInt8(String(decoding: utf8[3..<5], as: UTF8.self), radix: 16)
      {
        bytes.append(byte)
      } else {
        finish()
        result.append(token)
      }
    }
    finish()
    return result
  }

  /// English text without the blanks that BERT's tokens leave.
  private static func cleanedUp(_ text: String) -> String {
    [
      (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
      (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
    ].reduce(text) { $0.replacing($1.0, with: $1.1) }
  }
}

extension String {
  fileprivate func mappingScalars(_ body: (Unicode.Scalar) -> Unicode.Scalar?) -> String {
    String(UnicodeScalarView(unicodeScalars.compactMap(body)))
  }

  /// The text with other content in place of a word, scalar by scalar.
  func replacing(_ word: String, with content: String) -> String {
    guard !word.isEmpty else { return self }
    let scalars = TextFinder.text(Array(word.unicodeScalars)).replace(
      in: Array(unicodeScalars), with: Array(content.unicodeScalars))
    return String(UnicodeScalarView(scalars))
  }
}
