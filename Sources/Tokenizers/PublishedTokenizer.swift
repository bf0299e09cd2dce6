/// Published classes whose folders may have no `tokenizer.json`.
enum PublishedTokenizer: String, CaseIterable {
  case qwen2 = "Qwen2Tokenizer"
  case clip = "CLIPTokenizer"

  /// The special tokens where the files say nothing.
  var roles: [String: String] {
    let end = "<|endoftext|>"
    return switch self {
    case .qwen2: ["eos_token": end, "pad_token": end, "unk_token": end]
    case .clip:
      ["bos_token": "<|startoftext|>", "eos_token": end, "pad_token": end, "unk_token": end]
    }
  }

  func options(_ config: TokenizerConfig) -> BytePairEncoding.Options {
    switch self {
    case .qwen2: .init()
    case .clip: .init(unknown: config.token("unk_token")?.content, suffix: "</w>")
    }
  }

  var normalizer: Normalizer {
    switch self {
    case .qwen2: .form(.nfc)
    case .clip:
      .sequence([.form(.nfc), .replace(.pattern(.known(#"\s+"#)), [" "]), .lowercase])
    }
  }

  func preTokenizer(prefixesBlank: Bool) -> PreTokenizer {
    switch self {
    case .qwen2:
      let words = Pattern.known(
        #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"#
          + #"|\s*[\r\n]+|\s+(?!\S)|\s+"#)
      return .sequence([
        .split(.pattern(words), .isolated, isInverted: false),
        .byteLevel(prefixesBlank: prefixesBlank, splitsWords: false),
      ])
    case .clip:
      let words = Pattern.known(
        #"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]"#
          + #"|[^\s\p{L}\p{N}]+"#)
      return .sequence([
        .split(.pattern(words), .removed, isInverted: true),
        .byteLevel(prefixesBlank: false, splitsWords: true),
      ])
    }
  }
}

extension BytePairEncoding {
  /// Reads merges from a text file: two tokens a line, and lines that begin with `#version`.
  init(_ vocabulary: Vocabulary, options: Options, mergesFile path: String) throws {
    let place = try MergesFile(path)
    try self.init(
      vocabulary, options: options, file: path, place: "it", mergeCount: place.lines.count
    ) { add in
      for (index, line) in place.lines.enumerated() where !line.starts(with: "#version".utf8) {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 2 else {
          throw TokenizerError.wrongMerge(
            file: path, merge: index, text: String(decoding: line, as: UTF8.self))
        }
        try add(Array(parts[0]), Array(parts[1]))
      }
    }
  }
}
