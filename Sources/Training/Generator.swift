import Flow
import Layers
import Models
import Tensors

/// Makes images from noise with a trained network.
public struct Generator: Sendable {
  /// How images are made.
  public let settings: SamplerSettings
  /// How many images one run of the program makes.
  public let batch: Int
  /// What was compiled, and how long it took.
  public let function: CompiledFunction

  private let guidance: Double
  private let file: ModelFile
  private let engine: Engine

  /// Compiles a sampler.
  ///
  /// - Parameters:
  ///   - guidance: the scale of classifier-free guidance, 0 for none; each step takes two
  ///     evaluations with it.
  ///   - batch: images a run.
  /// - Throws: `TrainingError.notGenerative` for a classifier, `outOfMemory` where the devices cannot
  ///   hold so many images at once, and the plugin's errors.
  public init(
    _ file: ModelFile, _ settings: SamplerSettings, guidance: Double = 0, batch: Int,
    on engine: Engine
  ) throws {
    self.file = file
    self.settings = settings
    self.batch = batch
    self.engine = engine
    self.guidance = guidance
    if case .classifier = file.model { throw TrainingError.notGenerative(path: file.path) }
    var arguments = file.weights.types.prefixed("weights")
    arguments["key"] = Key.type
    arguments["number"] = TensorType([], .uint64)
    arguments["labels"] = TensorType([batch], .int32)
    let (image, classes) = file.model.sample
    let (model, convention) = (file.model, file.card.timeConvention)
    function = try engine.compile(
      arguments, shardings: file.weights.shardings.prefixed("weights")
    ) { arguments in
      let labels = arguments["labels"]!
      var network = convention.applied(to: model.velocityModel(arguments.group("weights"))!)
      if guidance != 0 {
        let none = Named([("label", labels.zerosLike + Double(classes))])
        network = GuidedModel(network, unconditional: none, scale: guidance)
      }
      let keys = Self.keys(arguments)
      let noise = keys[0].normal(Shape([batch] + image.sizes))
      let images = Sampler(settings)(
        network, noise: noise, condition: Named([("label", labels)]), key: keys[1])
      let finite = images.abs().less(.infinity).all().cast(to: .int32)
      return Named([("images", images), ("finite", finite)])
    }
  }

  /// The noise that a batch is made from, `[batch, …]`.
  public func noise(seed: UInt64, number: Int = 0) throws -> ShardedArray {
    let shape = Shape([batch] + file.model.sample.shape.sizes)
    let types = Named([("key", Key.type), ("number", TensorType([], .uint64))])
    let function = try engine.compile(types) { arguments in
      Named([("noise", Self.keys(arguments)[0].normal(shape))])
    }
    return try function(Self.source(seed, number, engine))["noise"]!
  }

  /// The keys of the noise and of the sampler.
  private static func keys(_ arguments: Named<Tensor>) -> [Key] {
    Key(arguments["key"]!).folded(arguments["number"]!).split(2)
  }

  private static func source(
    _ seed: UInt64, _ number: Int, _ engine: Engine
  ) throws -> Named<ShardedArray> {
    Named([
      ("key", try engine.array([seed, 0], shape: [2])),
      ("number", try engine.array([UInt64(number)], shape: [])),
    ])
  }

  /// Makes one batch.
  ///
  /// - Parameters:
  ///   - labels: the classes, as many as the batch.
  ///   - seed: the same seed and number give the same images.
  ///   - number: the number of the batch among those of the seed.
  /// - Returns: images about ±1 `[batch, height, width, channels]`, all finite.
  /// - Throws: `TrainingError.unknownLabel` for a class that the network does not know,
  ///   `imagesNotFinite`, and the plugin's errors.
  public func callAsFunction(
    labels: [Int32], seed: UInt64, number: Int = 0
  ) throws -> ShardedArray {
    precondition(labels.count == batch, "\(labels.count) labels are given for a batch of \(batch)")
    // The number of classes itself stands for none.
    let classes = file.model.sample.classes
    if classes > 0, let wrong = labels.first(where: { $0 < 0 || $0 > classes }) {
      throw TrainingError.unknownLabel(Int(wrong), classes: classes, source: nil)
    }
    var arguments = file.weights.prefixed("weights")
    arguments.merge(try Self.source(seed, number, engine))
    arguments["labels"] = try engine.array(labels, shape: [batch])
    let results = try function(arguments)
    guard try results["finite"]!.array(of: Int32.self)[0] == 1 else {
      throw TrainingError.imagesNotFinite(path: file.path, guidance: guidance)
    }
    return results["images"]!
  }
}
