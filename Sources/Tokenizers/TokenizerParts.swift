import Foundation

/// The parts of a tokenizer, as its files describe them.
struct TokenizerParts {
  var model: TokenModel
  var normalizer: Normalizer?
  var preTokenizer: PreTokenizer?
  var postProcessor = PostProcessor.none
  var decoder: Decoder?
  private(set) var addedTokens: [AddedToken] = []
  /// Places in `addedTokens` by content and by id.
  private var places: (content: [[UInt8]: Int], id: [Int32: Int]) = ([:], [:])
  /// The file that the model comes from.
  let file: String

  /// Reads `tokenizer.json`. Its sections on truncation and padding are of no concern here: whoever
  /// encodes says how.
  ///
  /// - Throws: `FileError` and `TokenizerError`.
  init(file: String) throws {
    self.file = file
    let root = try JSONField(file: file)
    model = try TokenModel(root.required("model"))
    normalizer = try root.optional("normalizer").map { try Normalizer($0) }
    preTokenizer = try root.optional("pre_tokenizer").map { try PreTokenizer($0) }
    postProcessor = try root.optional("post_processor").map { try PostProcessor($0) } ?? .none
    decoder = try root.optional("decoder").map { try Decoder($0) }
    for field in try root.optional("added_tokens")?.elements() ?? [] {
      try add(AddedToken(field, id: Int32(try field.required("id").int())), from: file)
    }
  }

  /// Reads `vocab.json` and `merges.txt`, and takes the rest from the published class.
  ///
  /// - Throws: `FileError` and `TokenizerError`.
  init(folder: String, config: inout TokenizerConfig) throws {
    file = folder + "/vocab.json"
    guard let kind = PublishedTokenizer(rawValue: config.className ?? "") else {
      throw TokenizerError.unsupported(
        file: config.file, place: "tokenizer_class", found: config.className ?? "missing",
        supported: PublishedTokenizer.allCases.map(\.rawValue) + ["folders with tokenizer.json"])
    }
    config.setDefaults(kind.roles)
    let field = try JSONField(file: file)
    model = .bytePairEncoding(
      try BytePairEncoding(
        Vocabulary(field), options: kind.options(config),
        mergesFile: folder + "/merges.txt"))
    normalizer = kind.normalizer
    preTokenizer = kind.preTokenizer(prefixesBlank: config.prefixesBlank)
    decoder = .byteLevel
  }

  /// Adds tokens and roles of the folder's other files, as transformers does: the flags there count,
  /// and special tokens are cut out of texts even where only their role is said.
  mutating func add(_ config: TokenizerConfig) throws {
    for token in config.addedTokens { try add(token, from: config.file) }
    let further = TokenizerConfig.roleNames.compactMap(config.token) + config.furtherTokens
    for var token in further
    where places.content[Array(token.content.utf8)] == nil {
      let largest = max(model.vocabulary.largestID, places.id.keys.max() ?? -1)
      token.id = model.vocabulary.id(of: token.content) ?? largest + 1
      try add(token, from: config.file)
    }
    func ids(_ role: String) -> Int32? { config.token(role).flatMap { id(of: $0.content) } }
    if config.className == PublishedTokenizer.clip.rawValue,
      file.hasSuffix("vocab.json")
    {
      postProcessor = PostProcessor(start: ids("bos_token"), end: ids("eos_token"))
    } else if config.addsStart != nil || config.addsEnd != nil {
      postProcessor = PostProcessor(
        start: config.addsStart == true ? ids("bos_token") : nil,
        end: config.addsEnd == true ? ids("eos_token") : nil)
    }
  }

  private func id(of token: String) -> Int32? {
    places.content[Array(token.utf8)].map { addedTokens[$0].id } ?? model.vocabulary.id(of: token)
  }

  /// Adds a token, or replaces its flags.
  private mutating func add(_ token: AddedToken, from file: String) throws {
    // The library ignores empty ones.
    if token.content.isEmpty { return }
    func differ(_ other: String, _ otherID: Int32) -> TokenizerError {
      .duplicate(
        file: file, token: token.content, id: Int(token.id), other: other, otherID: Int(otherID))
    }
    if let id = model.vocabulary.id(of: token.content), id != token.id {
      throw differ(token.content, id)
    }
    if let other = model.vocabulary.token(token.id), !other.utf8.elementsEqual(token.content.utf8) {
      throw differ(other, token.id)
    }
    let content = Array(token.content.utf8)
    let (same, other) = (places.content[content], places.id[token.id])
    if let place = same ?? other, same != other {
      throw differ(addedTokens[place].content, addedTokens[place].id)
    }
    if let same {
      addedTokens[same] = token
      return
    }
    (places.content[content], places.id[token.id]) = (addedTokens.count, addedTokens.count)
    addedTokens.append(token)
  }
}
