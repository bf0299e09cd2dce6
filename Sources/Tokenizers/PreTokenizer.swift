/// A part of a text on its way to the model.
struct Piece {
  var text: [Unicode.Scalar]
  /// Whether the text begins with it.
  var isFirst: Bool
}

/// What splits a text into words, which the model splits further.
indirect enum PreTokenizer: Sendable {
  case split(TextFinder, SplitBehavior, isInverted: Bool)
  case byteLevel(prefixesBlank: Bool, splitsWords: Bool)
  case metaspace(Metaspace)
  /// Runs of word characters, and runs of others that are no blanks.
  case words
  case bert
  case fixedLength(Int)
  case sequence([PreTokenizer])

  /// Blanks replaced by a character, and when it is put in front.
  struct Metaspace: Sendable {
    let replacement: Unicode.Scalar
    let prepends: Prepending
    let splits: Bool

    enum Prepending: String, CaseIterable, Sendable { case always, first, never }

    /// Reads a field.
    init(_ field: JSONField) throws {
      replacement = try field.required("replacement").scalar()
      splits = try field.optional("split")?.bool() ?? true
      var scheme = Prepending.always
      if let found = try field.optional("prepend_scheme") {
        guard let known = Prepending(rawValue: try found.string()) else {
          throw TokenizerError.unsupported(
            file: found.file, place: found.place, found: try found.string(),
            supported: Prepending.allCases.map(\.rawValue))
        }
        scheme = known
      } else if let older = try field.optional("add_prefix_space"), try !older.bool() {
        scheme = .never
      }
      prepends = scheme
    }
  }

  /// Reads a field by its `type`.
  init(_ field: JSONField) throws {
    let type = try field.required("type").string()
    switch type {
    case "Split":
      self = .split(
        try TextFinder(field.required("pattern")), try SplitBehavior(field.required("behavior")),
        isInverted: try field.optional("invert")?.bool() ?? false)
    case "ByteLevel":
      self = .byteLevel(
        prefixesBlank: try field.required("add_prefix_space").bool(),
        splitsWords: try field.optional("use_regex")?.bool() ?? true)
    case "Metaspace": self = .metaspace(try Metaspace(field))
    case "Whitespace": self = .words
    case "WhitespaceSplit": self = .split(.whitespace, .removed, isInverted: false)
    case "BertPreTokenizer": self = .bert
    case "Punctuation":
      self = .split(
        .punctuation, try field.optional("behavior").map { try SplitBehavior($0) } ?? .isolated,
        isInverted: false)
    case "Digits":
      let isEach = try field.optional("individual_digits")?.bool() ?? false
      self = .split(
        .character { $0.isNumeric }, isEach ? .isolated : .contiguous, isInverted: false)
    case "CharDelimiterSplit":
      self = .split(.text([try field.required("delimiter").scalar()]), .removed, isInverted: false)
    case "FixedLength":
      self = .fixedLength(try field.optional("length")?.int(in: 1...Int(Int32.max)) ?? 5)
    case "Sequence":
      self = .sequence(try field.required("pretokenizers").elements().map { try PreTokenizer($0) })
    default:
      throw TokenizerError.unsupported(
        file: field.file, place: field.place, found: type,
        supported: [
          "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "FixedLength",
          "Metaspace", "Punctuation", "Sequence", "Split", "Whitespace", "WhitespaceSplit",
        ])
    }
  }

  /// The words of pieces.
  func callAsFunction(_ pieces: [Piece]) -> [Piece] {
    switch self {
    case .split(let finder, let behavior, let isInverted):
      return pieces.flatMap { $0.split(at: finder, behavior, isInverted: isInverted) }
    case .byteLevel(let prefixesBlank, let splitsWords):
      return pieces.flatMap { piece in
        var piece = piece
        if prefixesBlank, piece.text.first != " " { piece.text.insert(" ", at: 0) }
        let words = splitsWords ? piece.split(at: .pattern(Self.gpt2), .isolated) : [piece]
        return words.map { Piece(text: ByteAlphabet.encode($0.text), isFirst: $0.isFirst) }
      }
    case .metaspace(let metaspace): return pieces.flatMap { metaspace($0) }
    case .words: return pieces.flatMap { $0.words }
    case .bert:
      return pieces.flatMap { $0.split(at: .whitespace, .removed) }
        .flatMap { $0.split(at: .punctuation, .isolated) }
    case .fixedLength(let length):
      return pieces.flatMap { piece in
        let starts = stride(from: 0, to: piece.text.count, by: length)
        return piece.parts(starts.map { $0..<min($0 + length, piece.text.count) })
      }
    case .sequence(let sequence): return sequence.reduce(pieces) { $1($0) }
    }
  }

  /// The pattern of GPT-2.
  private static let gpt2 = Pattern.known(
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#)
}

extension PreTokenizer.Metaspace {
  fileprivate func callAsFunction(_ piece: Piece) -> [Piece] {
    var piece = piece
    piece.text = piece.text.map { $0 == " " ? replacement : $0 }
    let prefixes = prepends == .always || prepends == .first && piece.isFirst
    if prefixes, piece.text.first != replacement { piece.text.insert(replacement, at: 0) }
    return splits ? piece.split(at: .text([replacement]), .mergedWithNext) : [piece]
  }
}

extension Piece {
  fileprivate func parts(_ ranges: [Range<Int>]) -> [Piece] {
    ranges.map { Piece(text: Array(text[$0]), isFirst: isFirst && $0.lowerBound == 0) }
  }

  fileprivate var words: [Piece] {
    var ranges: [Range<Int>] = []
    var last: Bool?
    for (index, scalar) in text.enumerated() {
      let isWord = scalar.isWord
      let kind = !isWord && scalar.properties.isWhitespace ? nil : isWord
      if kind != nil, kind == last {
        ranges[ranges.count - 1] = ranges.last!.lowerBound..<index + 1
      } else if kind != nil {
        ranges.append(index..<index + 1)
      }
      last = kind
    }
    return parts(ranges)
  }

  fileprivate func split(
    at finder: TextFinder, _ behavior: SplitBehavior, isInverted: Bool = false
  ) -> [Piece] {
    parts(behavior.split(text.count, at: finder.matches(in: text), isInverted: isInverted))
  }
}

extension TextFinder {
  fileprivate static let whitespace = TextFinder.character { $0.properties.isWhitespace }
  fileprivate static let punctuation = TextFinder.character { $0.isPunctuation }
}
