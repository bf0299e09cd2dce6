import Layers
import Models
import Pictures
import Runtime
import Tensors
import Weights

/// A Mask2Former that finds things in pictures.
///
/// It is a folder of transformers' `Mask2FormerForUniversalSegmentation` with a Swin backbone, or mmdetection's
/// `.pth` file of such a network, with which GenEval is published.
public final class DetectionJudge: Sendable {
  /// The network's sizes, with the names of its classes.
  public let config: Mask2FormerConfig
  /// The preprocessing of pictures.
  public let processor: Mask2FormerImageProcessor
  /// By which rules queries become things.
  public let rules: InstanceRules
  /// The weights, which are loaded on first use.
  public let component: Component

  private let engine: Engine
  private let programs = ProgramCache<[ImageSize]>()

  /// Opens a network; its weights are read on first use.
  ///
  /// - Parameters:
  ///   - name: a path, or a name for `ModelLibrary`.
  ///   - rules: by which queries become things.
  ///   - labels: the names of the classes; nil for those of the folder, which are numbers for a `.pth` file.
  ///   - convention: how the sides of pictures become multiples of what the network halves; nil for that of
  ///     the library whose file it is.
  /// - Throws: `PipelineError`, `PublishedConfigError`, and the errors of weights: for another architecture,
  ///   and for a folder without the settings of the preprocessing.
  public init(
    _ name: String, rules: InstanceRules = .mmdetection(), labels: [String]? = nil,
    convention: Mask2FormerImageProcessor.Convention? = nil, on engine: Engine
  ) throws {
    let folder = try JudgeFolder(name)
    let files: WeightFiles
    var (config, processor): (Mask2FormerConfig, Mask2FormerImageProcessor)
    if folder.has("config.json") || !folder.isFile {
      config = try folder.read("config.json", for: "the sizes of the network")
      processor = try folder.imageProcessor()
      files = try folder.weights("model.safetensors", "pytorch_model.bin")
    } else {
      files = try WeightFiles(path: folder.path)
      guard let found = Mask2FormerConfig(mmdetection: files.types) else {
        throw PipelineError.unknownNetwork(
          path: folder.path, found: "that its arrays do not tell",
          known: ["mmdetection's Mask2Former with a Swin backbone"])
      }
      (config, processor) = (found, .mmdetection)
    }
    if let labels {
      guard labels.count == config.labels.count else {
        throw PipelineError.unfitComponents(
          path: folder.path,
          reason: "\(labels.count) names were given, and the network has \(config.labels.count) "
            + "classes")
      }
      config.labels = labels
    }
    processor.convention = convention ?? processor.convention
    (self.config, self.processor, self.rules, self.engine) = (config, processor, rules, engine)
    component = try Component(
      Scope.declare { [config] in Mask2Former($0, config) }, in: files,
      names: config.names(in: files.types.names), ignoring: { [config] in config.ignores($0) },
      on: engine)
  }

  /// Releases the weights; they are read again on the next use.
  public func release() { component.release() }

  /// The things in a picture, those with the highest scores first.
  ///
  /// - Parameter least: only things with scores above this are returned.
  /// - Throws: the plugin's errors.
  public func callAsFunction(
    _ picture: RGBImage, above least: Float = 0
  ) throws -> [Detection] {
    let prepared = processor(picture)
    let size = ImageSize(height: picture.height, width: picture.width)
    let program = try programs([prepared.size, prepared.content, size]) {
      var arguments = component.types.prefixed("weights")
      arguments["pixels"] = TensorType(
        [1, prepared.size.height, prepared.size.width, 3], .float32)
      return try engine.compile(
        arguments, shardings: component.shardings.prefixed("weights")
      ) { [config, rules] arguments in
        let network = Scope.bind(arguments.group("weights")) { Mask2Former($0, config) }
        let output = network(arguments["pixels"]!)
        return Self.results(
          output.classes[0], output.masks[0], rules, prepared, picture: size)
      }
    }
    var arguments = try component.load().prefixed("weights")
    arguments["pixels"] = try engine.array(
      prepared.values, shape: [1, prepared.size.height, prepared.size.width, 3])
    let results = try RuntimeError.reportingMemory(of: program) { try program(arguments) }
    return try detections(results, size, above: least)
  }

  /// What a program gives for `detections`.
  package static func results(
    _ classes: Tensor, _ logits: Tensor, _ rules: InstanceRules,
    _ prepared: Mask2FormerImageProcessor.Prepared, picture: ImageSize
  ) -> Named<Tensor> {
    let found = InstanceMasks(
      logits, rules, size: prepared.size, content: prepared.content, picture: picture)
    return Named([
      ("classes", classes.wide), ("scores", found.scores), ("masks", found.masks),
      ("rows", found.masks.any([2])), ("columns", found.masks.any([1])),
    ])
  }

  /// The things that the results of a program say.
  package func detections(
    _ results: Named<ShardedArray>, _ size: ImageSize, above least: Float
  ) throws -> [Detection] {
    func rows<T: Element>(_ name: String, _: T.Type) throws -> [[T]] {
      let values: [T] = try results[name]!.array()
      let width = values.count / config.queries
      return (0..<config.queries).map { Array(values[$0 * width..<($0 + 1) * width]) }
    }
    let scores: [Float] = try results["scores"]!.array()
    let (tall, wide) = (try rows("rows", Bool.self), try rows("columns", Bool.self))
    let masks: [Bool] = try results["masks"]!.array()
    let count = size.height * size.width
    let found = try rules.pairs(rows("classes", Float.self)).compactMap { pair -> Detection? in
      let score = pair.score * scores[pair.query]
      let edges = [wide[pair.query], tall[pair.query]].map {
        (first: $0.firstIndex(of: true), last: $0.lastIndex(of: true))
      }
      let isEmpty = edges[0].first == nil
      guard score > least, !rules.drops(score: score, isEmpty: isEmpty) else { return nil }
      let box = edges.map { Float($0.first ?? 0) } + edges.map { Float(($0.last ?? -1) + 1) }
      return Detection(
        label: pair.label, name: config.labels[pair.label], score: score, box: box,
        mask: Array(masks[pair.query * count..<(pair.query + 1) * count]),
        classScore: pair.score)
    }
    return found.sorted { $0.score > $1.score }
  }
}
