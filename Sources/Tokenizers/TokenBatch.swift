/// The ids of several texts, padded to one length.
public struct TokenBatch: Sendable, Equatable {
  /// The ids, `[text, token]`, row by row.
  public let ids: [Int32]
  /// Which ids are tokens of a text and not padding, `[text, token]`.
  public let isToken: [Bool]
  /// The number of texts.
  public let count: Int
  /// The ids of each text.
  public let length: Int

  /// Where padding stands.
  public enum Side: Sendable {
    case left, right
  }

  /// Pads ids of texts.
  ///
  /// - Parameters:
  ///   - rows: the ids of each text.
  ///   - length: the length, nil for that of the longest text; no text may be longer.
  ///   - token: the padding token.
  ///   - side: where padding stands.
  public init(_ rows: [[Int32]], length: Int? = nil, padding token: Int32, side: Side = .right) {
    let longest = rows.map(\.count).max() ?? 0
    let length = length ?? longest
    precondition(longest <= length, "a text of \(longest) tokens is to be padded to \(length)")
    (count, self.length) = (rows.count, length)
    ids = rows.flatMap { row in
      let padding = Array(repeating: token, count: length - row.count)
      return side == .right ? row + padding : padding + row
    }
    isToken = rows.flatMap { row in
      (0..<length).map { side == .right ? $0 < row.count : $0 >= length - row.count }
    }
  }
}

extension Tokenizer {
  /// The ids of texts, padded to one length with the padding token.
  ///
  /// - Parameters:
  ///   - texts: any texts.
  ///   - limit: the most ids of a text, the special tokens included; longer texts lose their ends.
  ///   - padsToLimit: whether all texts are padded to the limit, or to the longest of them.
  ///   - side: where padding stands.
  ///   - addSpecialTokens: whether the tokens are added that the model expects around a text.
  /// - Throws: `TokenizerError.noPaddingToken` where one is needed and the files name none.
  public func encode(
    _ texts: [String], limit: Int? = nil, padsToLimit: Bool = false,
    side: TokenBatch.Side = .right, addSpecialTokens: Bool = true
  ) throws(TokenizerError) -> TokenBatch {
    let rows = texts.map { text in
      limit.map { encode(text, limit: $0, addSpecialTokens: addSpecialTokens) }
        ?? encode(text, addSpecialTokens: addSpecialTokens)
    }
    let length = padsToLimit ? limit : nil
    let longest = length ?? rows.map(\.count).max() ?? 0
    let needsPadding = rows.contains { $0.count < longest }
    guard let padding = paddingToken ?? (needsPadding ? nil : 0) else {
      throw .noPaddingToken(folder: folder)
    }
    return TokenBatch(rows, length: length, padding: padding, side: side)
  }
}
