/// Byte pair encoding (Sennrich et al., 2016, "Neural Machine Translation of Rare Words with Subword
/// Units"): a word's characters are merged pair by pair, the pair of the lowest rank first.
struct BytePairEncoding: Sendable {
  /// The settings, by their names in tokenizer.json.
  struct Options: Sendable {
    /// The token of characters that the vocabulary does not have.
    var unknown: String?
    /// What stands before all characters of a word but the first.
    var prefix = ""
    /// What stands behind the last character of a word.
    var suffix = ""
    /// Whether unknown characters in a row become one token.
    var fusesUnknown = false
    /// Whether unknown characters become tokens of their bytes.
    var fallsBackToBytes = false
    /// Whether a word in the vocabulary is not merged from its characters.
    var ignoresMerges = false
  }

  /// A merge of two tokens.
  private struct Merge {
    let rank: Int32
    let token: Int32
  }

  let vocabulary: Vocabulary
  let options: Options
  private let unknown: Int32?
  /// Merges by the ids of their tokens.
  private let merges: [UInt64: Merge]
  /// The tokens `<0x00>` to `<0xFF>`.
  private let bytes: [Int32?]

  /// Reads `model` of tokenizer.json.
  init(_ field: JSONField) throws {
    var options = Options()
    options.unknown = try field.optional("unk_token")?.string()
    options.prefix = try field.optional("continuing_subword_prefix")?.string() ?? ""
    options.suffix = try field.optional("end_of_word_suffix")?.string() ?? ""
    options.fusesUnknown = try field.optional("fuse_unk")?.bool() ?? false
    options.fallsBackToBytes = try field.optional("byte_fallback")?.bool() ?? false
    options.ignoresMerges = try field.optional("ignore_merges")?.bool() ?? false
    if let dropout = try field.optional("dropout"), try dropout.number() != 0 {
      throw TokenizerError.unsupported(
        file: field.file, place: dropout.place, found: "\(try dropout.number())",
        supported: ["null", "0"])
    }
    let list = try field.required("merges")
    guard case .array(let merges) = list.value else { throw list.wrong("is not a list") }
    try self.init(
      Vocabulary(field.required("vocab")), options: options, file: field.file, place: field.place,
      mergeCount: merges.count
    ) { add in
      for (index, merge) in merges.enumerated() {
        switch merge {
        case .string(let text):
          if text.hasPrefix("#version") { continue }
          let parts = text.utf8.split(separator: 0x20, omittingEmptySubsequences: false)
          guard parts.count == 2 else {
            throw TokenizerError.wrongMerge(file: field.file, merge: index, text: text)
          }
          try add(Array(parts[0]), Array(parts[1]))
        case .array(let parts):
          guard parts.count == 2, case .string(let left) = parts[0],
            case .string(let right) = parts[1]
          else { throw list.wrong("holds at \(index) something other than two tokens") }
          try add(Array(left.utf8), Array(right.utf8))
        default: throw list.wrong("holds at \(index) \(merge.kind)")
        }
      }
    }
  }

  /// - Parameters:
  ///   - file: the file of the merges, for messages.
  ///   - place: where the model stands in it, for messages.
  ///   - mergeCount: about how many merges there are.
  ///   - forEachMerge: calls a closure with both tokens of every merge, by rank.
  /// - Throws: `TokenizerError` for merges of unknown tokens and an unknown `unk_token`.
  init(
    _ vocabulary: Vocabulary, options: Options, file: String, place: String, mergeCount: Int,
    _ forEachMerge: ((_ left: [UInt8], _ right: [UInt8]) throws -> Void) throws -> Void
  ) throws {
    var merges: [UInt64: Merge] = [:]
    merges.reserveCapacity(mergeCount)
    let prefix = Array(options.prefix.utf8)
    var rank: Int32 = 0
    try forEachMerge { left, right in
      func id(_ token: [UInt8]) throws -> Int32 {
        guard let id = vocabulary.id(of: token) else {
          throw TokenizerError.unknownToken(
            file: file, merge: Int(rank), token: String(decoding: token, as: UTF8.self))
        }
        return id
      }
      let pair = Self.pair(try id(left), try id(right))
      // The prefix of the second token goes away within a token.
      let rest = right.dropFirst(right.starts(with: prefix) ? prefix.count : 0)
      merges[pair] = Merge(rank: rank, token: try id(left + rest))
      rank += 1
    }
    unknown = try options.unknown.map { token in
      guard let id = vocabulary.id(of: token) else {
        throw TokenizerError.wrongValue(
          file: file, place: place,
          reason: "has the unk_token \"\(token)\", which the vocabulary does not have")
      }
      return id
    }
    bytes = (0..<256).map { byte in
      let digits = String(byte, radix: 16, uppercase: true)
      return vocabulary.id(of: "<0x\(byte < 16 ? "0" : "")\(digits)>")
    }
    (self.vocabulary, self.options, self.merges) = (vocabulary, options, merges)
  }

  @inline(__always)
  private static func pair(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  /// The ids of a word.
  func encode(_ word: [Unicode.Scalar]) -> [Int32] {
    if options.ignoresMerges {
      let utf8 = word.flatMap { UTF8.encode($0)! }
      if let id = vocabulary.id(of: utf8) { return [id] }
    }
    return merged(characters(of: word))
  }

  /// The tokens of the characters.
  private func characters(of word: [Unicode.Scalar]) -> [Int32] {
    var ids: [Int32] = []
    ids.reserveCapacity(word.count)
    var pending: Int32?
    var text: [UInt8] = []
    for (index, scalar) in word.enumerated() {
      text.removeAll(keepingCapacity: true)
      if index > 0 { text += options.prefix.utf8 }
      text += UTF8.encode(scalar)!
      if index == word.count - 1 { text += options.suffix.utf8 }
      if let id = vocabulary.id(of: text) {
        if let unknown = pending { ids.append(unknown) }
        pending = nil
        ids.append(id)
        continue
      }
      if options.fallsBackToBytes {
        let fallback = text.compactMap { bytes[Int($0)] }
        if fallback.count == text.count {
          // An unknown character before comes behind, as in Hugging Face's library.
          ids += fallback
          continue
        }
      }
      guard let unknown else { continue }
      if let last = pending, !options.fusesUnknown { ids.append(last) }
      pending = unknown
    }
    if let pending { ids.append(pending) }
    return ids
  }

  /// Merges until no pair is left that merges: O(n log n), by a heap of pairs over a linked list.
  private func merged(_ ids: [Int32]) -> [Int32] {
    guard ids.count > 1 else { return ids }
    var ids = ids
    var next = ids.indices.map { Int32($0 + 1) }
    var previous = ids.indices.map { Int32($0 - 1) }
    let end = Int32(ids.count)
    var isGone = [Bool](repeating: false, count: ids.count)
    var queue = MergeQueue()
    func push(_ left: Int32, _ right: Int32) {
      guard left >= 0, right < end,
        let merge = merges[Self.pair(ids[Int(left)], ids[Int(right)])]
      else { return }
      queue.push(
        MergeQueue.Entry(
          order: UInt64(merge.rank) << 32 | UInt64(left), token: merge.token))
    }
    for left in 0..<end - 1 { push(left, left + 1) }
    while let entry = queue.pop() {
      let left = Int(entry.order & 0xFFFF_FFFF)
      // The pair may be gone, or another one now.
      guard !isGone[left], next[left] < end, case let right = Int(next[left]),
        merges[Self.pair(ids[left], ids[right])]?.token == entry.token
      else { continue }
      ids[left] = entry.token
      isGone[right] = true
      next[left] = next[right]
      if next[left] < end { previous[Int(next[left])] = Int32(left) }
      push(previous[left], Int32(left))
      push(Int32(left), next[left])
    }
    return ids.indices.filter { !isGone[$0] }.map { ids[$0] }
  }
}

/// Pairs that merge, the lowest rank first and then the leftmost: a binary heap.
private struct MergeQueue {
  struct Entry {
    /// The rank, and below it the position.
    let order: UInt64
    let token: Int32
  }

  private var entries: [Entry] = []

  mutating func push(_ entry: Entry) {
    var index = entries.count
    entries.append(entry)
    while index > 0, case let parent = (index - 1) / 2,
      entries[parent].order > entries[index].order
    {
      entries.swapAt(parent, index)
      index = parent
    }
  }

  mutating func pop() -> Entry? {
    guard let first = entries.first else { return nil }
    let last = entries.removeLast()
    if entries.isEmpty { return first }
    entries[0] = last
    var index = 0
    while case let child = 2 * index + 1, child < entries.count {
      let right = child + 1
      let least =
        right < entries.count && entries[right].order < entries[child].order ? right : child
      if entries[least].order >= entries[index].order { break }
      entries.swapAt(least, index)
      index = least
    }
    return first
  }
}
