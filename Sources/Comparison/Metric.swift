import Datasets
import Flow
import Models
import Tensors
import Evaluation
import Pipelines
import Runtime
import Training
import Weights

/// The metric for samples: for pictures the Fréchet distance and accuracy by a classifier, for
/// points the sliced Wasserstein distance and precision.
enum Metric {
  case pictures(Evaluator, test: FeatureStatistics, floor: Double, content: String)
  case points(Points, count: Int, PointPrecision)

  /// The scores at one number of sampling steps.
  struct Scores {
    let distance: Double
    let accuracy: Double
  }

  /// Makes the metric for a recipe's data.
  ///
  /// - Parameter classifier: the classifier's weights, for pictures.
  init(_ data: DataConfig, samples: Int, classifier: String, on engine: Engine) throws {
    switch data.dataSet {
    case let data as FashionMNISTData:
      let evaluator = try Evaluator(classifier: classifier, on: engine)
      let test = try FashionMNIST(.test, folder: data.path)
      let reference = try evaluator.measure(test, counts: [test.count])[0].features
      let training = try FashionMNIST(.training, folder: data.path)
      let floor = try evaluator.measure(training, counts: [min(samples, training.count)])[0]
      self = .pictures(
        evaluator, test: reference, floor: try floor.features.distance(to: reference),
        content: try WeightFiles.contentHash(classifier) + test.contentHash)
    case let data as PointData:
      let set = data.points
      let precision = PointPrecision(
        real: set.sample(samples, seed: Self.realSeed),
        others: set.sample(samples, seed: Self.realSeed + 1))
      self = .points(set, count: samples, precision)
    default: throw ComparisonError.noMetric(data: data.kind)
    }
  }

  /// The name of the distance.
  var name: String {
    switch self {
    case .pictures: "Fréchet distance"
    case .points: "sliced Wasserstein distance"
    }
  }

  /// The meaning of the second figure.
  var accuracyName: String {
    switch self {
    case .pictures: "the fraction classified as the requested class"
    case .points: "the fraction as near to a real point as 99 of 100 real ones are"
    }
  }

  /// The distance of the same number of real samples.
  var floor: Double {
    switch self {
    case .pictures(_, _, let floor, _): floor
    case .points(let set, let count, _):
      SlicedWasserstein.distance(
        set.sample(count, seed: Self.realSeed), set.sample(count, seed: Self.realSeed + 1))
    }
  }

  /// Checks that it can measure a model's samples.
  ///
  /// - Parameter name: the model's name in messages.
  /// - Throws: `EvaluationError`.
  func check(_ model: ModelConfig, _ name: String) throws {
    if case .pictures(let evaluator, _, _, _) = self { try evaluator.check(model, name) }
  }

  /// The identity of the metric: the hashes of the classifier and the test pictures, or the name of
  /// the set of points.
  var content: String {
    switch self {
    case .pictures(_, _, _, let content): content
    case .points(let set, _, _): set.rawValue
    }
  }

  private static let realSeed: UInt64 = 1_000_003

  /// The scores of a network at a number of steps.
  func measure(
    _ file: ModelFile, steps: Int, samples: Int, on engine: Engine
  ) throws -> Scores {
    let settings = file.card.sampler(steps)
    switch self {
    case .pictures(let evaluator, let test, _, _):
      let row = try evaluator.rows(
        file.path, file, settings: settings, samples: [samples], seed: 0, reference: test,
        on: engine)[0]
      return Scores(distance: row.distance, accuracy: row.accuracy)
    case .points(let set, let count, let precision):
      let made = try Self.points(file, settings, count: count, on: engine).end
      return Scores(
        distance: SlicedWasserstein.distance(made, set.sample(count, seed: Self.realSeed)),
        accuracy: precision(made))
    }
  }

  /// Generated points and the noise that they start from.
  static func points(
    _ file: ModelFile, _ settings: SamplerSettings, count: Int, on engine: Engine
  ) throws -> (start: [Float], end: [Float]) {
    let generator = try Generator(file, batch: count, on: engine)
    let made = try generator(
      [Prompt](repeating: "", count: count), settings, guidance: file.card.guidance, seed: 0)
    let noise = try generator.noise(seed: 0)
    return (try noise.array(of: Float.self), try made.array(of: Float.self))
  }
}
