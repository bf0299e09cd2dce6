/// A token beside the model's vocabulary, which is cut out of texts before anything else.
struct AddedToken: Sendable, Equatable {
  var id: Int32
  let content: String
  /// Whether it counts only where no word goes on beside it.
  var isSingleWord = false
  /// Whether it takes the blanks before it.
  var stripsLeft = false
  /// Whether it takes the blanks behind it.
  var stripsRight = false
  /// Whether it is found in the normalized text, in its own normalized form.
  var isNormalized = false
  /// Whether it is left out of decoded texts.
  var isSpecial = false
}

/// The added tokens of a tokenizer.
struct AddedTokens: Sendable {
  private let byID: [Int32: AddedToken]
  private let ids: [[UInt8]: Int32]
  private let plain: TokenTrie
  private let normalized: TokenTrie
  /// The normalized contents where they differ.
  private let normalContents: [Int32: String]

  /// - Parameters:
  ///   - tokens: tokens of different ids and contents.
  ///   - normalizer: the normalizer of texts.
  init(_ tokens: [AddedToken], normalizer: Normalizer?) {
    byID = Dictionary(tokens.map { ($0.id, $0) }) { $1 }
    ids = Dictionary(tokens.map { (Array($0.content.utf8), $0.id) }) { $1 }
    var (plain, normalized) = (TokenTrie(), TokenTrie())
    var normalContents: [Int32: String] = [:]
    for token in tokens {
      let content = Array(token.content.unicodeScalars)
      guard token.isNormalized else {
        plain.add(content, token.id)
        continue
      }
      let normal = normalizer?(content) ?? content
      if normal != content { normalContents[token.id] = String(String.UnicodeScalarView(normal)) }
      normalized.add(normal, token.id)
    }
    (self.plain, self.normalized, self.normalContents) = (plain, normalized, normalContents)
  }

  /// A part of a text: a token, or text between tokens.
  enum Part {
    case token(Int32)
    case text(Piece)
  }

  /// Cuts the tokens out of a text and normalizes the rest.
  func cut(_ text: [Unicode.Scalar], normalizer: Normalizer?) -> [Part] {
    split(Piece(text: text, isFirst: true), by: plain).flatMap { part -> [Part] in
      guard case .text(var piece) = part else { return [part] }
      if let normalizer { piece.text = normalizer(piece.text) }
      return split(piece, by: normalized)
    }
  }

  private func split(_ piece: Piece, by trie: TokenTrie) -> [Part] {
    let text = piece.text
    var parts: [Part] = []
    var end = 0
    func append(_ range: Range<Int>) {
      guard !range.isEmpty else { return }
      parts.append(
        .text(
          Piece(text: Array(text[range]), isFirst: piece.isFirst && range.lowerBound == 0)))
    }
    for match in trie.matches(in: text) {
      let token = byID[match.id]!
      var (start, stop) = (match.range.lowerBound, match.range.upperBound)
      if token.isSingleWord,
        start > 0 && text[start - 1].isWord || stop < text.count && text[stop].isWord
      {
        continue
      }
      if token.stripsLeft {
        while start > end, text[start - 1].properties.isWhitespace { start -= 1 }
      }
      if token.stripsRight {
        while stop < text.count, text[stop].properties.isWhitespace { stop += 1 }
      }
      if end < start { append(end..<start) }
      parts.append(.token(match.id))
      end = stop
    }
    if end < text.count { append(end..<text.count) }
    return parts
  }

  /// The number of tokens.
  var count: Int { byID.count }

  var largestID: Int32 { byID.keys.max() ?? -1 }

  /// The contents, in the order of their ids.
  var all: [AddedToken] { byID.values.sorted { $0.id < $1.id } }

  /// The id of a token.
  func id(of token: String) -> Int32? { ids[Array(token.utf8)] }

  /// A token.
  subscript(_ id: Int32) -> AddedToken? { byID[id] }

  /// A token as decoders get it.
  func decodable(_ id: Int32) -> String? { normalContents[id] ?? byID[id]?.content }
}

/// A trie of tokens that finds the longest of those that begin leftmost.
private struct TokenTrie: Sendable {
  private struct Edge: Hashable, Sendable {
    let node: Int
    let scalar: Unicode.Scalar
  }

  private var edges: [Edge: Int] = [:]
  private var ids: [Int32?] = [nil]

  /// Adds a token; an empty one is never found.
  mutating func add(_ content: [Unicode.Scalar], _ id: Int32) {
    guard !content.isEmpty else { return }
    var node = 0
    for scalar in content {
      let edge = Edge(node: node, scalar: scalar)
      if let next = edges[edge] {
        node = next
      } else {
        ids.append(nil)
        node = ids.count - 1
        edges[edge] = node
      }
    }
    ids[node] = id
  }

  /// The tokens in a text, in their order and without overlaps.
  func matches(in text: [Unicode.Scalar]) -> [(range: Range<Int>, id: Int32)] {
    guard !edges.isEmpty else { return [] }
    var found: [(range: Range<Int>, id: Int32)] = []
    var start = 0
    while start < text.count {
      var node = 0
      var longest: (end: Int, id: Int32)?
      for position in start..<text.count {
        guard let next = edges[Edge(node: node, scalar: text[position])] else { break }
        node = next
        if let id = ids[node] { longest = (position + 1, id) }
      }
      if let longest { found.append((start..<longest.end, longest.id)) }
      start = longest?.end ?? start + 1
    }
    return found
  }
}
