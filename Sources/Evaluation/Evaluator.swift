import Datasets
import Flow
import Layers
import Models
import Tensors
import Pipelines
import Runtime

/// Measures sets of images by the features and answers of a classifier.
public struct Evaluator: Sendable {
  /// The number of images in a batch.
  public static let batch = 100
  /// The numbers of samples that can be measured; a covariance needs two.
  public static let samples = 2...1_000_000

  let engine: Engine
  private let classifier: ModelFile
  private let function: CompiledFunction
  private let width: Int

  /// The number of features.
  public var features: Int { width }

  /// The measurement of a set of images.
  public struct Measurement: Sendable {
    /// The statistics of the features.
    public var features: FeatureStatistics
    /// The number of images classified as the requested class.
    public var correct = 0
    /// The features of each image, where they were to be kept.
    public var vectors: FeatureSet?

    /// The fraction classified as the requested class.
    public var accuracy: Double { Double(correct) / Double(features.count) }
  }

  /// Loads a classifier's weights.
  ///
  /// - Throws: `PipelineError.notAClassifier` for other weights, and the errors of files.
  public init(classifier path: String, on engine: Engine) throws {
    self.engine = engine
    classifier = try ModelFile(path, on: engine)
    guard let config = classifier.model.architecture as? ClassifierConfig else {
      throw PipelineError.notAClassifier(path: path)
    }
    width = config.features
    let count = Self.batch
    var arguments = try classifier.weights.types.prefixed("weights")
    arguments["images"] = TensorType(
      Shape([count] + classifier.model.sampleShape().sizes), .float32)
    arguments["classes"] = TensorType([count], .int32)
    arguments["count"] = TensorType([], .int32)
    function = try engine.compile(arguments) { arguments in
      let network = Scope.bind(arguments.group("weights")) { Classifier($0, config) }
      // Images are measured as 8-bit pixels.
      let pixels = ((arguments["images"]!.clamped(-1...1) + 1) * 127.5).rounded() / 127.5 - 1
      let (features, logits) = network(pixels)
      let counted = Tensor.iota([count], axis: 0, .int32).less(arguments["count"]!)
      let exact = features.cast(to: .float64)
      let kept = counted.expanded([1]).select(exact, exact.zerosLike)
      let correct = logits.argmax().equal(arguments["classes"]!).cast(to: .int32)
      return Named([
        ("sum", kept.sum([0])), ("products", kept.dot(kept, contracting: ([0], [0]))),
        ("correct", counted.select(correct, correct.zerosLike).sum()), ("features", features),
      ])
    }
  }

  /// A batch of images to measure.
  public struct Batch {
    /// The images `[batch, …]` within ±1.
    public let images: ShardedArray
    /// The requested classes of the images.
    public let classes: [Int32]

    /// Makes a batch.
    public init(images: ShardedArray, classes: [Int32]) {
      self.images = images
      self.classes = classes
    }
  }

  /// Measures nested sets of images in batches of `batch`: each set starts with the smaller ones.
  ///
  /// - Parameters:
  ///   - counts: the sizes of the sets, 2 or more each.
  ///   - keepsVectors: whether the features of each image are kept.
  ///   - make: the images and classes of a batch, by its number; those beyond the largest set are
  ///     ignored.
  /// - Returns: the measurement of each set.
  /// - Throws: `EvaluationError.otherClasses` for classes that the classifier does not have,
  ///   `featuresNotFinite`, and what `make` throws.
  public func measure(
    _ counts: [Int], keepsVectors: Bool = false, _ make: (Int) throws -> Batch
  ) throws -> [Measurement] {
    precondition(counts.allSatisfy { $0 > 1 }, "\(counts) images cannot be measured")
    var full = Measurement(features: FeatureStatistics(width: width))
    if keepsVectors { full.vectors = FeatureSet(width: width) }
    var measured: [Int: Measurement] = [:]
    let largest = counts.max() ?? 0
    for number in 0..<(largest + Self.batch - 1) / Self.batch {
      let range = number * Self.batch..<(number + 1) * Self.batch
      let batch = try make(number)
      for count in Set(counts) where range.lowerBound < count && count <= range.upperBound {
        measured[count] = try adding(batch, count: count - range.lowerBound, to: full)
      }
      full =
        try measured[range.upperBound]
        ?? (largest > range.upperBound ? adding(batch, count: Self.batch, to: full) : full)
    }
    return counts.map { measured[$0]! }
  }

  /// A measurement extended by the first images of a batch.
  private func adding(
    _ batch: Batch, count: Int, to measurement: Measurement
  ) throws -> Measurement {
    let classes = classifier.model.classes
    if let wrong = batch.classes.prefix(count).first(where: { $0 < 0 || $0 >= classes }) {
      throw EvaluationError.otherClasses(
        classifier: classifier.path, classes: classes, found: Int(wrong))
    }
    var arguments = try classifier.weights.prefixed("weights")
    arguments["images"] = batch.images
    arguments["classes"] = try engine.array(batch.classes, shape: [Self.batch])
    arguments["count"] = try engine.array([Int32(count)], shape: [])
    let results = try function(arguments)
    let sum: [Double] = try results["sum"]!.array()
    let products: [Double] = try results["products"]!.array()
    guard sum.allSatisfy(\.isFinite), products.allSatisfy(\.isFinite) else {
      throw EvaluationError.featuresNotFinite(classifier: classifier.path)
    }
    var result = measurement
    result.features.add(count: count, sum: sum, products: products)
    result.correct += Int(try results["correct"]!.array(of: Int32.self)[0])
    if result.vectors != nil {
      result.vectors!.append(
        try results["features"]!.array(of: Float.self).prefix(count * width))
    }
    return result
  }

  /// Measures the first pictures of a set of real ones.
  ///
  /// - Throws: `EvaluationError.otherShape` where the classifier takes other images, `tooFew`, and
  ///   `featuresConstant`.
  public func measure(
    _ set: FashionMNIST, counts: [Int], keepsVectors: Bool = false
  ) throws -> [Measurement] {
    let name = "The set of \(set.split == .test ? "test" : "training") pictures"
    try checkShape([set.size, set.size, 1], of: name)
    guard set.count >= Self.samples.lowerBound else {
      throw EvaluationError.tooFew(source: name, found: set.count)
    }
    let measured = try measure(counts, keepsVectors: keepsVectors) { number in
      // The last batch is padded with the set's last picture, which is not counted.
      let indices = (number * Self.batch..<(number + 1) * Self.batch).map { min($0, set.count - 1) }
      let images = try engine.array(
        set.images(indices), shape: [Self.batch, set.size, set.size, 1])
      return Batch(images: images, classes: indices.map { Int32(set.classes[$0]) })
    }
    guard measured.allSatisfy(\.features.varies) else {
      throw EvaluationError.featuresConstant(classifier: classifier.path)
    }
    return measured
  }

  /// Checks that the classifier can evaluate a network's samples.
  ///
  /// - Throws: `EvaluationError.otherShape`, and `fewerClasses` where it has fewer classes.
  public func check(_ file: ModelFile) throws { try check(file.model, file.path) }

  /// Checks that the classifier can evaluate a model's samples.
  ///
  /// - Parameter name: the model's name in messages.
  /// - Throws: `EvaluationError.otherShape`, and `fewerClasses` where it has fewer classes.
  public func check(_ model: ModelConfig, _ name: String) throws {
    try checkShape(model.sampleShape(), of: name)
    guard model.classes >= classifier.model.classes else {
      throw EvaluationError.fewerClasses(
        path: name, found: model.classes, classifier: classifier.path,
        expected: classifier.model.classes)
    }
  }

  private func checkShape(_ shape: Shape, of source: String) throws(EvaluationError) {
    let expected = classifier.model.sampleShape()
    guard shape == expected else {
      throw .otherShape(
        source: source, found: shape, classifier: classifier.path, expected: expected)
    }
  }

  /// The classes to request for a batch of generated images, equally many of each.
  public var classes: [Int32] {
    let classes = classifier.model.classes
    return (0..<Self.batch).map { Int32($0 % classes) }
  }
}
