import Foundation
import Layers
import Models
import Pictures
import Runtime
import Synchronization
import Tensors
import Tokenizers
import Weights

/// A CLIP that says how well pictures fit texts, and which of several labels fits best.
///
/// Its folder is one of transformers' `CLIPModel`, or one of open_clip with `open_clip_config.json`, whose
/// weights are a `.safetensors`, `.bin` or `.pt` file.
public final class CLIPJudge: Sendable {
  /// The network's sizes.
  public let config: CLIPConfig
  /// The preprocessing of pictures.
  public let processor: CLIPImageProcessor
  /// The weights, which are loaded on first use.
  public let component: Component

  private let engine: Engine
  private let compute: DType
  private let tokenizer: Tokenizer
  private let programs = ProgramCache<Batch>()
  private let classifiers = Mutex<[[[String]]: [[Float]]]>([:])

  /// What is encoded together.
  private struct Batch: Hashable {
    enum Kind { case texts, images }
    let kind: Kind
    let count: Int
  }

  /// The most texts or pictures that are encoded together.
  private static let largestBatch = 16

  /// Opens a network; its weights are read on first use.
  ///
  /// - Parameters:
  ///   - name: a path, or a name for `ModelLibrary`.
  ///   - tokenizer: the folder of the tokenizer; nil for the network's own folder.
  ///   - precision: the element type of the computation.
  /// - Throws: `PipelineError`, `PublishedConfigError`, `TokenizerError`, and the errors of weights: for
  ///   another architecture, and for a folder without the settings of the preprocessing.
  public init(
    _ name: String, tokenizer: String? = nil, precision: Precision = .float32, on engine: Engine
  ) throws {
    let folder = try JudgeFolder(name)
    guard !folder.isFile else {
      throw PipelineError.unableNetwork(
        path: folder.path,
        reason:
          "it is a file alone, and a CLIP is a folder with its weights, its tokenizer and its sizes: "
          + "open_clip_config.json as open_clip publishes it, or config.json and preprocessor_config.json as "
          + "transformers does. OpenAI's own .pt files have no such folder: use one of these, such as "
          + "openai/clip-vit-large-patch14")
    }
    let files: WeightFiles
    if folder.has("open_clip_config.json") && !Self.isTransformers(folder) {
      let settings: OpenCLIPConfig = try folder.read(
        "open_clip_config.json", for: "the sizes of the network")
      (config, processor) = (settings.model, CLIPImageProcessor(settings))
      files = try folder.weights(
        "open_clip_model.safetensors", "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pt")
    } else {
      config = try folder.read("config.json", for: "the sizes of the network")
      processor = try folder.imageProcessor()
      files = try folder.weights("model.safetensors", "pytorch_model.bin")
    }
    guard processor.crop == config.vision.size else {
      throw PipelineError.unfitComponents(
        path: folder.path,
        reason: "pictures are cut to \(processor.crop) pixels, and the network takes "
          + "\(config.vision.size)")
    }
    self.tokenizer = try Tokenizer(folder: tokenizer ?? folder.path)
    let names = config.names(in: files.types.names)
    component = try Component(
      Scope.declare { [config] in CLIP($0, config) }, in: files, names: names,
      ignoring: config.ignores, on: engine)
    self.engine = engine
    compute = precision.dtype
  }

  /// Whether a folder with both descriptions has the weights of transformers alone.
  private static func isTransformers(_ folder: JudgeFolder) -> Bool {
    folder.has("config.json") && WeightFiles.exist(at: "\(folder.path)/model.safetensors")
      && !folder.has("open_clip_model.safetensors")
  }

  /// Releases the weights; they are read again on the next use.
  public func release() { component.release() }

  /// The ids of texts, padded with zeros to the network's positions; longer ones lose their ends.
  package func tokens(_ texts: [String]) throws -> [[Int32]] {
    let length = config.text.positions
    return try texts.map { text in
      let ids = tokenizer.encode(text, limit: length)
      if let wrong = ids.first(where: { $0 < 0 || $0 >= config.text.vocabulary }) {
        throw PipelineError.unfitComponents(
          path: tokenizer.folder,
          reason: "the tokenizer makes the token \(wrong), and the network knows "
            + "\(config.text.vocabulary)")
      }
      return ids + [Int32](repeating: 0, count: length - ids.count)
    }
  }

  /// The number of a text's tokens, without padding.
  package func tokenCount(_ text: String) -> Int {
    tokenizer.encode(text, limit: config.text.positions).count
  }

  /// The token that transformers pads texts with; it has no influence.
  package var paddingToken: Int32 { tokenizer.paddingToken ?? 0 }

  /// The features of texts, normalized to length 1.
  ///
  /// - Throws: `PipelineError.unfitComponents` for another model's tokenizer, and the plugin's errors.
  public func features(ofTexts texts: [String]) throws -> [[Float]] {
    try Self.normalized(rawFeatures(ofTexts: texts))
  }

  /// The features of texts, not normalized.
  package func rawFeatures(ofTexts texts: [String]) throws -> [[Float]] {
    let length = config.text.positions
    return try features(tokens(texts), .texts, TensorType([length], .int32)) {
      $0.textFeatures($1, in: $2)
    }
  }

  /// The features of pictures, normalized to length 1.
  ///
  /// - Throws: the plugin's errors.
  public func features(of pictures: [RGBImage]) throws -> [[Float]] {
    try Self.normalized(rawFeatures(ofPixels: pictures.map { processor($0) }))
  }

  /// Features of length 1.
  package static func normalized(_ features: [[Float]]) -> [[Float]] {
    features.map { row in
      let norm = row.reduce(0) { $0 + Double($1) * Double($1) }.squareRoot()
      return row.map { Float(Double($0) / norm) }
    }
  }

  /// The features of prepared pictures, not normalized.
  package func rawFeatures(ofPixels pixels: [[Float]]) throws -> [[Float]] {
    let size = config.vision.size
    return try features(pixels, .images, TensorType([size, size, 3], .float32)) {
      $0.imageFeatures($1, in: $2)
    }
  }

  /// Features of rows of one type, batch by batch.
  private func features<Value: Element>(
    _ rows: [[Value]], _ kind: Batch.Kind, _ row: TensorType,
    _ encode: @escaping (CLIP, Tensor, DType) -> Tensor
  ) throws -> [[Float]] {
    var arguments = try component.load().prefixed("weights")
    return try rows.inFilledBatches(of: Self.largestBatch) { rows in
      let count = rows.count
      let type = TensorType(Shape([count] + row.shape.sizes), row.dtype)
      let program = try programs(Batch(kind: kind, count: count)) {
        var arguments = component.types.prefixed("weights")
        arguments["rows"] = type
        return try engine.compile(
          arguments, shardings: component.shardings.prefixed("weights")
        ) { arguments in
          let network = Scope.bind(arguments.group("weights")) { CLIP($0, config) }
          return Named([("features", encode(network, arguments["rows"]!, compute).wide)])
        }
      }
      arguments["rows"] = try engine.array(rows.flatMap { $0 }, shape: type.shape.sizes)
      let values: [Float] = try RuntimeError.reportingMemory(of: program) {
        try program(arguments)["features"]!.array()
      }
      let width = config.projection
      return (0..<count).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }
  }

  /// The factor from the cosine of two features to a logit.
  ///
  /// - Throws: the plugin's errors.
  public func logitFactor() throws -> Double {
    let scale = try component.load()["logit_scale"]!
    let wide = try engine.compile(Named([("x", scale.type)])) {
      Named([("x", $0["x"]!.cast(to: .float32))])
    }
    return exp(Double(try wide(Named([("x", scale)]))["x"]!.array(of: Float.self)[0]))
  }
}

extension CLIPJudge {
  /// The features of labels, each of several texts: the mean of their normalized features, normalized again. Those
  /// of equal labels are computed once.
  ///
  /// - Parameter labels: the texts of each label, at least one.
  /// - Throws: as `features(ofTexts:)`.
  public func classifier(_ labels: [[String]]) throws -> [[Float]] {
    if let known = classifiers.withLock({ $0[labels] }) { return known }
    let all = try features(ofTexts: labels.flatMap { $0 })
    var start = 0
    let means = labels.map { texts in
      defer { start += texts.count }
      return (0..<config.projection).map { place in
        all[start..<start + texts.count].reduce(0) { $0 + $1[place] } / Float(texts.count)
      }
    }
    let classifier = Self.normalized(means)
    classifiers.withLock { $0[labels] = classifier }
    return classifier
  }

  /// 100 times the cosine of each picture's features with those of each label, `[picture][label]`.
  ///
  /// - Parameter classifier: the features of labels, of length 1.
  /// - Throws: the plugin's errors.
  public func scores(of pictures: [RGBImage], _ classifier: [[Float]]) throws -> [[Float]] {
    Self.scores(try features(of: pictures), classifier)
  }

  /// 100 times the cosine of features of length 1.
  package static func scores(_ features: [[Float]], _ classifier: [[Float]]) -> [[Float]] {
    features.map { own in
      classifier.map { label in 100 * zip(own, label).reduce(0) { $0 + $1.0 * $1.1 } }
    }
  }

  /// The probability of each label for each picture, `[picture][label]`: the softmax of the cosines times the
  /// trained factor.
  ///
  /// - Parameter labels: the texts of each label, at least one.
  /// - Throws: as `features(ofTexts:)`.
  public func probabilities(
    of labels: [[String]], for pictures: [RGBImage]
  ) throws -> [[Double]] {
    let factor = try logitFactor() / 100
    return try scores(of: pictures, classifier(labels)).map { row in
      let logits = row.map { factor * Double($0) }
      let largest = logits.max() ?? 0
      let weights = logits.map { exp($0 - largest) }
      return weights.map { $0 / weights.reduce(0, +) }
    }
  }
}
