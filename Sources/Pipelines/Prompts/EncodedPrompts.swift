import Runtime
import Tensors

/// The features of prompts, which are encoded once and kept on the host.
///
/// They depend on the text encoder alone, so that several transformers can be used with them.
public struct EncodedPrompts: Sendable {
  /// The bytes of the features of each prompt, see `TextRows`.
  private let features: [String: [UInt8]]
  /// The number of tokens that all prompts are padded to.
  private let length: Int
  private let rows: TextRows
  /// What makes the features of classes, which are not kept; nil for texts.
  private let classes: ImagePipeline?

  /// The number of distinct prompts.
  public var count: Int { features.count }

  /// The most prompts that are encoded together.
  private static let batch = 32

  /// Encodes prompts, with the prompt that guidance leads away from. Each distinct text is encoded once,
  /// together with others of about its length.
  ///
  /// - Parameters:
  ///   - request: names the prompt of guidance.
  ///   - log: gets a sentence where prompts are cut.
  /// - Throws: `RuntimeError.outOfMemory`, the errors of weights, and the plugin's errors. Classes are not
  ///   encoded here.
  public init(
    _ prompts: some Sequence<String>, like request: ImageRequest = ImageRequest(prompt: ""),
    by pipeline: ImagePipeline, log: (String) -> Void = { _ in }
  ) throws {
    var texts: [String] = []
    var seen = Set<String>()
    let negative = request.negative ?? pipeline.kind.negative
    rows = TextRows(of: pipeline)
    guard pipeline.classes == nil else {
      features = Dictionary(prompts.map { ($0, []) }) { first, _ in first }
      (classes, length) = (pipeline, 1)
      return
    }
    classes = nil
    for text in [negative] + Array(prompts)
    where seen.insert(text).inserted {
      texts.append(text)
    }
    var cuts: [String] = []
    let counted = try texts.map { text in
      let tokens = try pipeline.tokens([text], negatives: [negative]) { cuts.append($0) }
      return (text: text, count: tokens.counts[0])
    }
    if let first = cuts.first {
      log(cuts.count == 1 ? first : "\(cuts.count) prompts are too long and are cut. \(first)")
    }
    let sorted = counted.enumerated().sorted {
      ($0.element.count, $0.offset) < ($1.element.count, $1.offset)
    }.map(\.element.text)
    let batch = min(Self.batch, sorted.count)
    var found: [String: [UInt8]] = [:]
    var length = 0
    for start in stride(from: 0, to: sorted.count, by: batch) {
      let own = Array(sorted[start..<min(start + batch, sorted.count)])
      // Every batch has one size, so that few programs are compiled.
      let filled = own + [String](repeating: own.last!, count: batch - own.count)
      let encoded = try pipeline.features(
        pipeline.tokens(filled, negatives: [negative]))
      length = max(length, encoded.condition["text"]!.type.shape[1])
      for (text, bytes) in zip(own, try rows.texts(encoded, count: own.count)) {
        found[text] = bytes
      }
    }
    if !pipeline.options.keepsComponents { pipeline.encoder.component.release() }
    (features, self.length) = (found, length)
  }

  /// Takes features that were computed before, those of all prompts and of the one that guidance leads
  /// away from.
  ///
  /// - Parameters:
  ///   - texts: the bytes of the features of each.
  ///   - multiple: all are padded to a multiple of this number of tokens.
  package init(
    _ texts: some Sequence<(text: String, bytes: [UInt8])>, rows: TextRows, multiple: Int
  ) {
    features = Dictionary(texts.map { ($0.text, $0.bytes) }) { first, _ in first }
    let longest = features.values.map { rows.tokens(byteCount: $0.count) }.max() ?? 0
    length = (longest + multiple - 1) / multiple * multiple
    self.rows = rows
    classes = nil
  }

  /// The features of a batch of prompts, padded to the common length; all must have been encoded.
  func batch(_ prompts: [String], on engine: Engine) throws -> ImagePipeline.TextFeatures {
    if let classes { return try classes.features(classes.tokens(prompts)) }
    var batch = TextRows.Batch(rows, length: length, count: prompts.count)
    for prompt in prompts {
      guard let own = features[prompt] else {
        preconditionFailure("the prompt \"\(prompt)\" was not encoded")
      }
      own.withUnsafeBytes { batch.add($0) }
    }
    return try batch.features(on: engine)
  }
}
