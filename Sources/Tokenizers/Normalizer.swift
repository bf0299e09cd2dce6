/// What changes a text before it is split.
indirect enum Normalizer: Sendable {
  case form(NormalForm)
  case lowercase
  case stripAccents
  case strip(left: Bool, right: Bool)
  case nmt
  case precompiled(PrecompiledMap)
  case replace(TextFinder, [Unicode.Scalar])
  case prepend([Unicode.Scalar])
  case byteLevel
  case bert(Bert)
  case sequence([Normalizer])

  /// What BERT's normalizer does.
  struct Bert: Sendable {
    let cleansText: Bool
    let separatesIdeographs: Bool
    let stripsAccents: Bool
    let lowercases: Bool
  }

  /// Reads a field by its `type`.
  init(_ field: JSONField) throws {
    let type = try field.required("type").string()
    switch type {
    case "NFC", "NFD", "NFKC", "NFKD": self = .form(NormalForm(rawValue: type)!)
    case "Lowercase": self = .lowercase
    case "StripAccents": self = .stripAccents
    case "Strip":
      self = .strip(
        left: try field.required("strip_left").bool(),
        right: try field.required("strip_right").bool())
    case "Nmt": self = .nmt
    case "Precompiled":
      self = .precompiled(try PrecompiledMap(field.required("precompiled_charsmap")))
    case "Replace":
      self = .replace(
        try TextFinder(field.required("pattern")),
        Array(try field.required("content").string().unicodeScalars))
    case "Prepend": self = .prepend(Array(try field.required("prepend").string().unicodeScalars))
    case "ByteLevel": self = .byteLevel
    case "BertNormalizer":
      let lowercases = try field.optional("lowercase")?.bool() ?? true
      self = .bert(
        Bert(
          cleansText: try field.optional("clean_text")?.bool() ?? true,
          separatesIdeographs: try field.optional("handle_chinese_chars")?.bool() ?? true,
          stripsAccents: try field.optional("strip_accents")?.bool() ?? lowercases,
          lowercases: lowercases))
    case "Sequence":
      self = .sequence(try field.required("normalizers").elements().map { try Normalizer($0) })
    default:
      throw TokenizerError.unsupported(
        file: field.file, place: field.place, found: type,
        supported: [
          "BertNormalizer", "ByteLevel", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt",
          "Precompiled", "Prepend", "Replace", "Sequence", "Strip", "StripAccents",
        ])
    }
  }

  /// The normalized text.
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    switch self {
    case .form(let form): return form(text)
    case .lowercase: return Self.lowercased(text)
    case .stripAccents: return text.filter { !$0.isCombiningMark }
    case .strip(let left, let right):
      var rest = text[...]
      if left { rest = rest.drop { $0.properties.isWhitespace } }
      if right {
        let end = rest.lastIndex { !$0.properties.isWhitespace }
        rest = rest[..<(end.map { $0 + 1 } ?? rest.startIndex)]
      }
      return Array(rest)
    case .nmt: return text.compactMap(Self.nmt)
    case .precompiled(let map): return map(text)
    case .replace(let finder, let content): return finder.replace(in: text, with: content)
    case .prepend(let prefix): return text.isEmpty ? text : prefix + text
    case .byteLevel: return ByteAlphabet.encode(text)
    case .bert(let bert): return bert(text)
    case .sequence(let normalizers): return normalizers.reduce(text) { $1($0) }
    }
  }

  fileprivate static func lowercased(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    text.flatMap { $0.properties.lowercaseMapping.unicodeScalars }
  }

  /// A character in the rules of SentencePiece's `nmt`; nil where it is removed.
  private static func nmt(_ scalar: Unicode.Scalar) -> Unicode.Scalar? {
    switch scalar.value {
    case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0x8F, 0x9F: nil
    case 0x09, 0x0A, 0x0C, 0x0D, 0x1680, 0x200B...0x200F, 0x2028, 0x2029, 0x2581, 0xFEFF, 0xFFFD:
      " "
    default: scalar
    }
  }
}

extension Normalizer.Bert {
  func callAsFunction(_ text: [Unicode.Scalar]) -> [Unicode.Scalar] {
    var text = text
    if cleansText {
      text = text.compactMap { scalar in
        switch scalar {
        case "\t", "\n", "\r": " "
        case "\0", "\u{FFFD}": nil
        default: scalar.isOther ? nil : scalar.properties.isWhitespace ? " " : scalar
        }
      }
    }
    if separatesIdeographs { text = text.flatMap { $0.isIdeograph ? [" ", $0, " "] : [$0] } }
    if stripsAccents { text = NormalForm.nfd(text).filter { !$0.isNonspacingMark } }
    return lowercases ? Normalizer.lowercased(text) : text
  }
}
