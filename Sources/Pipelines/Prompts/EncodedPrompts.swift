import Runtime
import Tensors

/// The features of prompts, which are encoded once and kept on the host.
///
/// They depend on the text encoder alone, so that several transformers can be used with them.
public struct EncodedPrompts: Sendable {
  /// The features of one prompt.
  private struct Features {
    /// Those of its tokens, without padding.
    let bytes: [UInt8]
    /// The number of tokens.
    let count: Int
  }

  private let features: [String: Features]
  /// The number of tokens that all prompts are padded to.
  private let length: Int
  /// The number of features of a token, and their element type.
  private let token: (width: Int, dtype: DType)

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
  /// - Throws: `RuntimeError.outOfMemory`, the errors of weights, and the plugin's errors.
  public init(
    _ prompts: some Sequence<String>, like request: ImageRequest = ImageRequest(prompt: ""),
    by pipeline: ImagePipeline, log: (String) -> Void = { _ in }
  ) throws {
    var texts: [String] = []
    var seen = Set<String>()
    for text in [request.negative ?? pipeline.kind.negative] + Array(prompts)
    where seen.insert(text).inserted {
      texts.append(text)
    }
    var cuts: [String] = []
    let counted = try texts.map { text in
      (text: text, count: try pipeline.tokens([text]) { cuts.append($0) }.counts[0])
    }
    if let first = cuts.first {
      log(cuts.count == 1 ? first : "\(cuts.count) prompts are too long and are cut. \(first)")
    }
    let sorted = counted.enumerated().sorted {
      ($0.element.count, $0.offset) < ($1.element.count, $1.offset)
    }.map(\.element.text)
    let batch = min(Self.batch, sorted.count)
    var found: [String: Features] = [:]
    var (length, token) = (0, (width: 0, dtype: DType.float32))
    for start in stride(from: 0, to: sorted.count, by: batch) {
      let own = Array(sorted[start..<min(start + batch, sorted.count)])
      // Every batch has one size, so that few programs are compiled.
      let filled = own + [String](repeating: own.last!, count: batch - own.count)
      let encoded = try pipeline.features(pipeline.tokens(filled))
      let array = encoded.condition["text"]!
      let (shape, dtype) = (array.type.shape, array.type.dtype)
      length = max(length, shape[1])
      token = (shape[2], dtype)
      let bytes = try array.bytes()
      let size = shape[2] * dtype.byteCount
      for (row, text) in own.enumerated() {
        let place = row * shape[1] * size
        found[text] = Features(
          bytes: Array(bytes[place..<place + encoded.counts[row] * size]),
          count: encoded.counts[row])
      }
    }
    if !pipeline.options.keepsComponents { pipeline.encoder.component.release() }
    (features, self.length, self.token) = (found, length, token)
  }

  /// Takes features that were computed before, those of all prompts and of the one that guidance leads
  /// away from.
  ///
  /// - Parameters:
  ///   - texts: the bytes of the features of the tokens of each, without padding.
  ///   - width: the number of features of a token.
  ///   - multiple: all are padded to a multiple of this number of tokens.
  package init(
    _ texts: some Sequence<(text: String, bytes: [UInt8])>, width: Int, dtype: DType, multiple: Int
  ) {
    let size = width * dtype.byteCount
    features = Dictionary(
      texts.map { ($0.text, Features(bytes: $0.bytes, count: $0.bytes.count / size)) }
    ) { first, _ in first }
    let longest = features.values.map(\.count).max() ?? 0
    length = (longest + multiple - 1) / multiple * multiple
    token = (width, dtype)
  }

  /// The features of a batch of prompts, padded to the common length; all must have been encoded.
  func batch(_ prompts: [String], on engine: Engine) throws -> ImagePipeline.TextFeatures {
    let size = length * token.width * token.dtype.byteCount
    var (bytes, counts): ([UInt8], [Int]) = ([], [])
    bytes.reserveCapacity(size * prompts.count)
    for prompt in prompts {
      guard let own = features[prompt] else {
        preconditionFailure("the prompt \"\(prompt)\" was not encoded")
      }
      bytes += own.bytes
      bytes += [UInt8](repeating: 0, count: size - own.bytes.count)
      counts.append(own.count)
    }
    let text = HostArray(
      TensorType([prompts.count, length, token.width], token.dtype), bytes: bytes)
    return ImagePipeline.TextFeatures(
      condition: Named([
        ("text", try engine.array(text)),
        ("text_mask", try engine.array(counts.map(Int32.init), shape: [counts.count])),
      ]), counts: counts)
  }
}
