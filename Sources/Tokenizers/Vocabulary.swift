/// The tokens of a model and their ids.
///
/// A hash table over the tokens' UTF-8: Swift's strings are equal where they are canonically
/// equivalent, and vocabularies have both "é" in one scalar and in two.
struct Vocabulary: Sendable {
  /// The UTF-8 of all tokens.
  private var bytes: [UInt8] = []
  /// The end of each token in `bytes`.
  private var ends: [Int] = []
  private var ids: [Int32] = []
  /// Indices of tokens by their hash, -1 in free slots; a power of two of them.
  private var slots: [Int32]
  /// Indices of tokens by id.
  private var indices: [Int32: Int32] = [:]
  /// The bytes of the longest token.
  private(set) var longest = 0
  private(set) var largestID: Int32 = -1

  /// An empty vocabulary with room for tokens.
  init(capacity: Int) {
    var size = 16
    while size < capacity * 2 { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
    bytes.reserveCapacity(capacity * 8)
    ends.reserveCapacity(capacity)
    ids.reserveCapacity(capacity)
    indices.reserveCapacity(capacity)
  }

  /// The number of tokens.
  var count: Int { ids.count }

  /// What is already there.
  struct Duplicate: Error {
    let token: String
    let id: Int
  }

  /// Adds a token.
  ///
  /// - Throws: `Duplicate` where the token or its id is already there.
  mutating func add(_ token: String, id: Int32) throws(Duplicate) {
    var token = token
    let problem = token.withUTF8 { text -> Duplicate? in
      if let other = self.id(of: text) {
        return Duplicate(token: String(decoding: text, as: UTF8.self), id: Int(other))
      }
      if let other = self.token(id) { return Duplicate(token: other, id: Int(id)) }
      if (ids.count + 1) * 2 > slots.count { grow() }
      insert(Int32(ids.count), hash: Self.hash(text))
      indices[id] = Int32(ids.count)
      bytes.append(contentsOf: text)
      ends.append(bytes.count)
      ids.append(id)
      longest = max(longest, text.count)
      largestID = max(largestID, id)
      return nil
    }
    if let problem { throw problem }
  }

  private mutating func grow() {
    slots = [Int32](repeating: -1, count: slots.count * 2)
    for index in ids.indices {
      let hash = bytes.withUnsafeBufferPointer {
        Self.hash(UnsafeBufferPointer(rebasing: $0[range(index)]))
      }
      insert(Int32(index), hash: hash)
    }
  }

  private mutating func insert(_ index: Int32, hash: UInt64) {
    var slot = Self.slot(hash) & (slots.count - 1)
    while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
    slots[slot] = index
  }

  private func range(_ index: Int) -> Range<Int> {
    (index == 0 ? 0 : ends[index - 1])..<ends[index]
  }

  /// The id of a token by its UTF-8.
  func id(of text: UnsafeBufferPointer<UInt8>) -> Int32? {
    text.count > longest ? nil : id(of: text, hash: Self.hash(text))
  }

  private func id(of text: UnsafeBufferPointer<UInt8>, hash: UInt64) -> Int32? {
    var slot = Self.slot(hash) & (slots.count - 1)
    while slots[slot] >= 0 {
      let index = Int(slots[slot])
      let range = range(index)
      let isEqual =
        range.count == text.count
        && bytes.withUnsafeBufferPointer { $0[range].elementsEqual(text) }
      if isEqual { return ids[index] }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// The id of a token.
  func id(of token: String) -> Int32? {
    var token = token
    return token.withUTF8 { id(of: $0) }
  }

  /// The id of a token by its UTF-8.
  func id(of token: [UInt8]) -> Int32? { token.withUnsafeBufferPointer { id(of: $0) } }

  /// A token by its id.
  func token(_ id: Int32) -> String? {
    indices[id].map { String(decoding: bytes[range(Int($0))], as: UTF8.self) }
  }

  /// Calls `body` with the length in bytes and the id of every token that the text begins with, the
  /// shortest first.
  func forEachPrefix(of text: UnsafeBufferPointer<UInt8>, _ body: (Int, Int32) -> Void) {
    var hash = Self.seed
    for length in 1..<max(1, min(longest, text.count) + 1) {
      hash = Self.step(hash, text[length - 1])
      let prefix = UnsafeBufferPointer(rebasing: text[..<length])
      if let id = id(of: prefix, hash: hash) { body(length, id) }
    }
  }

  // FNV-1a, which grows byte by byte.
  private static let seed: UInt64 = 0xCBF2_9CE4_8422_2325

  @inline(__always)
  private static func step(_ hash: UInt64, _ byte: UInt8) -> UInt64 {
    (hash ^ UInt64(byte)) &* 0x100_0000_01B3
  }

  private static func hash(_ text: UnsafeBufferPointer<UInt8>) -> UInt64 {
    text.reduce(seed, step)
  }

  /// Spreads a hash over the lower bits.
  @inline(__always)
  private static func slot(_ hash: UInt64) -> Int {
    Int(truncatingIfNeeded: hash ^ (hash >> 29) ^ (hash >> 47))
  }
}
