import Foundation

/// What stands beside the vocabulary: `tokenizer_config.json`, and `special_tokens_map.json` and
/// `added_tokens.json` of older folders.
struct TokenizerConfig {
  /// The published class without `Fast` at its end, such as `Qwen2Tokenizer`.
  var className: String?
  /// Where the class stands, for messages.
  var file: String
  /// Added tokens with their ids.
  var addedTokens: [AddedToken] = []
  /// Tokens by their roles, such as `pad_token`; nil for a role that is explicitly of none.
  var roles: [String: AddedToken?] = [:]
  /// Further special tokens.
  var furtherTokens: [AddedToken] = []
  var addsStart: Bool?
  var addsEnd: Bool?
  var prefixesBlank = false
  /// The most tokens that the model takes.
  var longest: Int?

  static let roleNames = [
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token",
  ]

  /// Reads the files that a folder has.
  ///
  /// - Throws: `FileError` and `TokenizerError`.
  init(folder: String) throws {
    func open(_ name: String) throws -> JSONField? {
      let path = folder + "/" + name
      return FileManager.default.fileExists(atPath: path) ? try JSONField(file: path) : nil
    }
    file = folder + "/tokenizer_config.json"
    if let config = try open("tokenizer_config.json") { try read(config) }
    if let map = try open("special_tokens_map.json") { try readRoles(map) }
    if addedTokens.isEmpty, let added = try open("added_tokens.json") {
      addedTokens = try added.members().map { token, id in
        AddedToken(id: Int32(try id.int()), content: token, isNormalized: true)
      }
    }
  }

  private mutating func read(_ config: JSONField) throws {
    className = try config.optional("tokenizer_class")?.string()
    if let name = className, name.hasSuffix("Fast") { className = String(name.dropLast(4)) }
    addedTokens =
      try config.optional("added_tokens_decoder")?.members().map { key, field in
        guard let id = Int32(key), JSONField.ids.contains(Int(id)) else {
          throw field.wrong("is not named by its id")
        }
        return try AddedToken(field, id: id)
      } ?? []
    addsStart = try config.optional("add_bos_token")?.bool()
    addsEnd = try config.optional("add_eos_token")?.bool()
    prefixesBlank = try config.optional("add_prefix_space")?.bool() ?? false
    // Models without a limit have 1e30 here.
    longest = try config.optional("model_max_length").map { try $0.number() }.flatMap {
      1...Double(Int32.max) ~= $0 ? Int($0) : nil
    }
    try readRoles(config)
  }

  /// Reads roles that are not known yet.
  private mutating func readRoles(_ field: JSONField) throws {
    for (key, value) in try field.members() {
      if Self.roleNames.contains(key), roles[key] == nil {
        roles[key] = .some(value.isNull ? nil : try AddedToken(role: value))
      } else if ["additional_special_tokens", "extra_special_tokens"].contains(key), !value.isNull {
        // Newer files have an object of roles and tokens.
        let elements =
          if case .object = value.value { try value.members().map(\.field) } else {
            try value.elements()
          }
        furtherTokens += try elements.map { try AddedToken(role: $0) }
      }
    }
  }

  /// The token of a role.
  func token(_ role: String) -> AddedToken? { roles[role] ?? nil }

  /// Adds what a class has where the files say nothing.
  mutating func setDefaults(_ tokens: [String: String]) {
    for (role, token) in tokens where roles[role] == nil {
      roles[role] = AddedToken(id: -1, content: token, isSpecial: true)
    }
  }
}

extension AddedToken {
  /// Reads an object of a token and its flags.
  init(_ field: JSONField, id: Int32) throws {
    func flag(_ name: String) throws -> Bool? { try field.optional(name)?.bool() }
    let isSpecial = try flag("special") ?? false
    self.init(
      id: id, content: try field.required("content").string(),
      isSingleWord: try flag("single_word") ?? false, stripsLeft: try flag("lstrip") ?? false,
      stripsRight: try flag("rstrip") ?? false,
      isNormalized: try flag("normalized") ?? !isSpecial, isSpecial: isSpecial)
  }

  /// Reads a special token whose id is not said: its text, or an object with flags.
  fileprivate init(role field: JSONField) throws {
    if case .string(let content) = field.value {
      self.init(id: -1, content: content, isSpecial: true)
    } else {
      try self.init(field, id: -1)
      isSpecial = true
    }
  }
}
