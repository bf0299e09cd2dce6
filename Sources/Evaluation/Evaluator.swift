import Datasets
import Flow
import Layers
import Models
import Tensors
import Training

/// Measures sets of images by a classifier's eyes.
public struct Evaluator: Sendable {
  /// How many images go through the classifier at once.
  public static let batch = 100

  private let engine: Engine
  private let classifier: ModelFile
  private let function: CompiledFunction
  private let width: Int

  /// What is known of a set of images.
  public struct Measurement: Sendable {
    /// Their features' statistics.
    public var features: FeatureStatistics
    /// How many were taken for what they should be.
    public var hits = 0

    /// The part of the images that were taken for what they should be.
    public var accuracy: Double { Double(hits) / Double(features.count) }
  }

  /// Loads a classifier's weights.
  ///
  /// - Throws: `TrainingError.notAClassifier` for other weights, and the errors of files.
  public init(classifier path: String, on engine: Engine) throws {
    self.engine = engine
    classifier = try ModelFile(path, on: engine)
    guard case .classifier(let config) = classifier.model else {
      throw TrainingError.notAClassifier(path: path)
    }
    width = config.features
    let count = Self.batch
    var arguments = classifier.weights.types.prefixed("weights")
    arguments["images"] = TensorType(Shape([count] + classifier.model.sample.shape.sizes), .float32)
    arguments["labels"] = TensorType([count], .int32)
    function = try engine.compile(arguments) { arguments in
      let network = Scope.bind(arguments.group("weights")) { Classifier($0, config) }
      // What a file of 8-bit pixels can hold is what is measured.
      let pixels = ((arguments["images"]!.clamped(-1...1) + 1) * 127.5).rounded() / 127.5 - 1
      let (features, logits) = network(pixels)
      let exact = features.cast(to: .float64)
      let hits = logits.argmax().equal(arguments["labels"]!).cast(to: .int32).sum()
      return Named([
        ("sum", exact.sum([0])), ("products", exact.dot(exact, contracting: ([0], [0]))),
        ("hits", hits),
      ])
    }
  }

  /// Measures growing sets of images in batches of `batch`, each the first part of the next.
  ///
  /// - Parameters:
  ///   - counts: how many images, multiples of `batch`.
  ///   - make: for the number of a batch its images `[batch, …]` within ±1 and their labels.
  /// - Returns: what is known of each set.
  public func measure(
    _ counts: [Int], _ make: (Int) throws -> (images: ShardedArray, labels: [Int32])
  ) throws -> [Measurement] {
    precondition(
      counts.allSatisfy { $0 > 0 && $0 % Self.batch == 0 },
      "\(counts) images are no batches of \(Self.batch)")
    var result = Measurement(features: FeatureStatistics(width: width))
    var measured: [Int: Measurement] = [:]
    for number in 0..<(counts.max() ?? 0) / Self.batch {
      let batch = try make(number)
      var arguments = classifier.weights.prefixed("weights")
      arguments["images"] = batch.images
      arguments["labels"] = try engine.array(batch.labels, shape: [Self.batch])
      let sums = try function(arguments)
      result.features.add(
        count: Self.batch, sum: try sums["sum"]!.array(), products: try sums["products"]!.array())
      result.hits += Int(try sums["hits"]!.array(of: Int32.self)[0])
      measured[result.features.count] = result
    }
    return counts.map { measured[$0]! }
  }

  /// Measures the first real pictures of a set.
  public func measure(_ set: FashionMNIST, counts: [Int]) throws -> [Measurement] {
    let shape = [Self.batch] + classifier.model.sample.shape.sizes
    return try measure(counts) { number in
      let range = number * Self.batch..<(number + 1) * Self.batch
      let images = try engine.array(set.images(range), shape: shape)
      return (images, range.map { Int32(set.labels[$0]) })
    }
  }

  /// The labels of a batch: equally many of each class.
  public var labels: [Int32] {
    let classes = classifier.model.sample.classes
    return (0..<Self.batch).map { Int32($0 % classes) }
  }
}
