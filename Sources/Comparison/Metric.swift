import Datasets
import Evaluation
import Runtime
import Training

/// What a comparison measures of the samples of networks.
protocol Metric {
  /// The names of the figures.
  var names: ComparisonReport.Names { get }
  /// The figures of real samples.
  var real: ComparisonReport.Real { get }
  /// The identity of the metric: a change makes saved measurements useless.
  var content: String { get }

  /// Checks that the samples of a recipe's network can be measured.
  ///
  /// - Parameter name: its name in messages.
  /// - Throws: `EvaluationError`.
  func check(_ recipe: TrainingRecipe, _ name: String) throws

  /// The scores of a network at some numbers of steps; nil where its samples are not finite.
  ///
  /// - Parameter progress: called before each batch of samples.
  /// - Throws: the errors of files, of evaluation and of the plugin, and what `progress` throws.
  func measure(
    _ network: ComparedNetwork, steps: [Int], progress: @escaping () throws -> Void
  ) throws -> [ComparisonReport.Scores?]

  /// What the choice of a learning rate follows.
  var criterion: ComparisonReport.Criterion { get }
}

extension Metric {
  /// By default the distance.
  var criterion: ComparisonReport.Criterion { .distance }
}

/// A network whose samples are measured.
struct ComparedNetwork {
  /// Its name in the report.
  let name: String
  /// Its weights: a file, or the folder of a transformer.
  let weights: String
  /// The folder of its run, or of the whole model that it is part of.
  let folder: String

  /// The network that a run has trained.
  init(_ name: String, of recipe: TrainingRecipe) {
    (self.name, weights, folder) = (name, recipe.result, recipe.output)
  }

  /// The network that a recipe starts from; nil where it starts from none.
  ///
  /// - Throws: `FileError.notFound`.
  init?(_ name: String, startOf recipe: TrainingRecipe) throws {
    guard let start = recipe.start, let weights = try recipe.startPath() else { return nil }
    (self.name, self.weights, folder) = (name, weights, start)
  }
}

extension ComparisonRecipe {
  /// The metric for the data of a recipe.
  ///
  /// - Parameter classifier: the weights of the classifier of Fashion-MNIST.
  /// - Throws: `ComparisonError.noMetric`, and the errors of files and of the plugin.
  func metric(
    for training: TrainingRecipe, classifier: String, on engine: Engine
  ) throws -> any Metric {
    switch training.data.dataSet {
    case let data as FashionMNISTData:
      return try ClassMetric(data, samples: samples, classifier: classifier, on: engine)
    case let data as PointData: return PointMetric(data.points, count: samples, on: engine)
    case is any PromptDataSet where training.model.text != nil && training.model.isPublished:
      guard let prompts else { throw ComparisonError.noPrompts(data: training.data.kind) }
      return try PromptMetric(prompts, samples: samples, training, on: engine)
    default: throw ComparisonError.noMetric(data: training.data.kind)
    }
  }
}
