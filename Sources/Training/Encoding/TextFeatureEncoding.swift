import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// Encodes texts, several of about one length at a time.
///
/// A text is padded to the same number of tokens whatever it is encoded with, and a batch has always the
/// same number of texts, the last one some of them twice: so the features of a text do not depend on what
/// is encoded with it. Texts that are encoded with reference images are encoded one by one.
struct TextFeatureEncoding {
  private let pipeline: ImagePipeline
  private let store: EncodedStore
  /// The texts that wait, by their padded lengths.
  private var waiting: [Int: [(key: EncodingKey, text: String)]] = [:]

  init(_ pipeline: ImagePipeline, _ store: EncodedStore) {
    (self.pipeline, self.store) = (pipeline, store)
  }

  /// The texts of a batch: about two thousand tokens.
  static func batch(length: Int) -> Int { max(1, min(16, 2048 / length)) }

  /// Encodes texts, or keeps them until a batch is full.
  ///
  /// - Parameters:
  ///   - references: the keys of the reference images that the encoder sees with them.
  ///   - images: the reference images.
  /// - Returns: the keys of the texts.
  /// - Throws: the errors of pictures, of weights, of the plugin and of writing.
  mutating func add(
    _ texts: [String], references: [EncodingKey] = [], images: () throws -> [RGBImage] = { [] }
  ) throws -> [EncodingKey] {
    let keys = texts.map { EncodingKey(text: $0, references: references) }
    let missing = zip(texts, keys).filter { store.announce($0.1) }
    guard !missing.isEmpty else { return keys }
    guard references.isEmpty else {
      let seen = try pipeline.references(images())
      let embeddings = try pipeline.embeddings(seen)
      for (text, key) in missing {
        let tokens = try pipeline.tokens([text], grids: seen.grids)
        try encode(tokens, [key], embeddings)
      }
      return keys
    }
    for (text, key) in missing {
      let length = try pipeline.tokens([text]).length
      waiting[length, default: []].append((key, text))
      if waiting[length]!.count == Self.batch(length: length) { try encode(length) }
    }
    return keys
  }

  /// Encodes the texts that wait.
  mutating func finish() throws {
    for length in waiting.keys.sorted() { try encode(length) }
  }

  private mutating func encode(_ length: Int) throws {
    let entries = waiting.removeValue(forKey: length) ?? []
    guard let first = entries.first else { return }
    let texts = entries.map(\.text)
    let missing = Self.batch(length: length) - texts.count
    let tokens = try pipeline.tokens(texts + [String](repeating: first.text, count: missing))
    try encode(tokens, entries.map(\.key), nil)
  }

  /// Encodes tokens, and keeps the features of the first texts without their padding.
  private func encode(
    _ tokens: ImagePipeline.TextTokens, _ keys: [EncodingKey], _ embeddings: ShardedArray?
  ) throws {
    let features = try pipeline.features(tokens, images: embeddings)
    let rows = TextRows(of: pipeline)
    for (key, bytes) in zip(keys, try rows.texts(features, count: keys.count)) {
      try store.add(key, bytes[...], row: rows.row)
    }
  }
}
