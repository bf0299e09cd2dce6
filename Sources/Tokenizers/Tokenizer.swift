import Files
import Foundation

/// A published tokenizer: text to the ids of its tokens and back, as Hugging Face's library
/// `tokenizers` does it.
public struct Tokenizer: Sendable {
  /// The folder that the tokenizer was read from.
  public let folder: String
  private let model: TokenModel
  private let normalizer: Normalizer?
  private let preTokenizer: PreTokenizer?
  private let postProcessor: PostProcessor
  private let decoder: Decoder?
  private let added: AddedTokens
  /// What stands at the end of words and is a blank in decoded texts.
  private let wordSuffix: String?
  private let roles: [String: Int32]

  /// The most tokens that the model takes, nil where the files set no limit.
  public let longest: Int?

  /// Reads a tokenizer: `tokenizer.json`, or `vocab.json` and `merges.txt` of the classes
  /// `Qwen2Tokenizer` and `CLIPTokenizer`; and `tokenizer_config.json`, `special_tokens_map.json` and
  /// `added_tokens.json`, where they are there.
  ///
  /// - Throws: `TokenizerError`, and `FileError.unreadable`.
  public init(folder: String) throws {
    let manager = FileManager.default
    func exists(_ name: String) -> Bool { manager.fileExists(atPath: folder + "/" + name) }
    var config = try TokenizerConfig(folder: folder)
    var parts: TokenizerParts
    if exists("tokenizer.json") {
      parts = try TokenizerParts(file: folder + "/tokenizer.json")
    } else if exists("vocab.json"), exists("merges.txt") {
      parts = try TokenizerParts(folder: folder, config: &config)
    } else {
      throw TokenizerError.notFound(folder: folder)
    }
    try parts.add(config)
    self.folder = folder
    (model, normalizer, preTokenizer) = (parts.model, parts.normalizer, parts.preTokenizer)
    (postProcessor, decoder) = (parts.postProcessor, parts.decoder)
    added = AddedTokens(parts.addedTokens, normalizer: parts.normalizer)
    longest = config.longest
    if config.className == PublishedTokenizer.clip.rawValue,
      case .bytePairEncoding(let model) = model
    {
      wordSuffix = model.options.suffix
    } else {
      wordSuffix = nil
    }
    var roles: [String: Int32] = [:]
    for role in TokenizerConfig.roleNames {
      guard let content = config.token(role)?.content else { continue }
      roles[role] = added.id(of: content) ?? model.vocabulary.id(of: content)
    }
    self.roles = roles
  }

  /// The hash of the content of the files that a tokenizer can have.
  ///
  /// - Throws: `FileError.unreadable`.
  package func contentHash() throws -> String {
    let hash = ContentHash()
    for name in [
      "tokenizer.json", "vocab.json", "merges.txt", "tokenizer_config.json",
      "special_tokens_map.json", "added_tokens.json",
    ] {
      let path = "\(folder)/\(name)"
      guard FileManager.default.fileExists(atPath: path) else { continue }
      hash.add(name)
      hash.add(try ContentHash.ofFile(path))
    }
    return hash.text
  }

  /// The ids of a text. Added tokens such as `<|im_start|>` are cut out of it first.
  ///
  /// - Parameters:
  ///   - text: any text; it is not changed before, not even its normal form.
  ///   - addSpecialTokens: whether the tokens are added that the model expects around a text, such as
  ///     an end token.
  public func encode(_ text: String, addSpecialTokens: Bool = true) -> [Int32] {
    let ids = plainIDs(text)
    return addSpecialTokens ? postProcessor(ids) : ids
  }

  /// The first ids of a text, with all special tokens around them.
  ///
  /// - Parameters:
  ///   - limit: the most ids, the special tokens included; at least as many as those.
  ///   - addSpecialTokens: as above.
  public func encode(_ text: String, limit: Int, addSpecialTokens: Bool = true) -> [Int32] {
    let around = addSpecialTokens ? postProcessor.addedCount : 0
    precondition(limit >= around, "\(limit) tokens have no room for \(around) special ones")
    let ids = Array(plainIDs(text).prefix(limit - around))
    return addSpecialTokens ? postProcessor(ids) : ids
  }

  private func plainIDs(_ text: String) -> [Int32] {
    added.cut(Array(text.unicodeScalars), normalizer: normalizer).flatMap { part -> [Int32] in
      switch part {
      case .token(let id): return [id]
      case .text(let piece):
        let words = preTokenizer?([piece]) ?? [piece]
        return words.flatMap { model.encode($0.text) }
      }
    }
  }

  /// The number of a text's tokens.
  public func count(_ text: String, addSpecialTokens: Bool = true) -> Int {
    encode(text, addSpecialTokens: addSpecialTokens).count
  }

  /// The text of ids; unknown ids are left out.
  ///
  /// - Parameter skipSpecialTokens: whether special tokens are left out too.
  public func decode(_ ids: some Sequence<Int32>, skipSpecialTokens: Bool = true) -> String {
    let tokens = ids.compactMap { id -> String? in
      if skipSpecialTokens, added[id]?.isSpecial == true { return nil }
      return added.decodable(id) ?? model.vocabulary.token(id)
    }
    let text = decoder.map { $0(tokens).joined() } ?? tokens.joined(separator: " ")
    guard let wordSuffix else { return text }
    let words = text.replacing(wordSuffix, with: " ").unicodeScalars
    let start = words.firstIndex { !$0.properties.isWhitespace } ?? words.endIndex
    let end = words.lastIndex { !$0.properties.isWhitespace }.map(words.index(after:)) ?? start
    return String(words[start..<end])
  }

  /// The id of a token as the vocabulary spells it, such as `Ġthe`; nil for a token that is not in
  /// the vocabulary.
  public func id(of token: String) -> Int32? {
    added.id(of: token) ?? model.vocabulary.id(of: token)
  }

  /// The token of an id, as the vocabulary spells it; nil for an unknown id.
  public func token(_ id: Int32) -> String? { added[id]?.content ?? model.vocabulary.token(id) }

  /// The number of tokens, the added ones included.
  public var vocabularyCount: Int {
    model.vocabulary.count + added.all.count { model.vocabulary.token($0.id) == nil }
  }

  /// The number of special tokens that are added around every text.
  public var addedCount: Int { postProcessor.addedCount }

  /// The id of the padding token; nil where the files name none.
  public var paddingToken: Int32? { roles["pad_token"] }

  /// The id of the token that begins a text; nil where the files name none.
  public var startToken: Int32? { roles["bos_token"] }

  /// The id of the token that ends a text; nil where the files name none.
  public var endToken: Int32? { roles["eos_token"] }

  /// The id of the token of unknown text; nil where the files name none.
  public var unknownToken: Int32? { roles["unk_token"] }
}
