import Datasets
import Evaluation
import Flow
import Pipelines
import Runtime
import Training
import Weights

/// Measures pictures of classes by the features and answers of a classifier.
struct ClassMetric: Metric {
  let content: String
  let real: ComparisonReport.Real
  private let evaluator: Evaluator
  private let test: Evaluator.Measurement
  private let samples: Int
  private let engine: Engine

  /// Measures real pictures.
  ///
  /// - Parameter classifier: the classifier's weights.
  init(
    _ data: FashionMNISTData, samples: Int, classifier: String, on engine: Engine
  ) throws {
    (self.samples, self.engine) = (samples, engine)
    evaluator = try Evaluator(classifier: classifier, on: engine)
    let test = try FashionMNIST(.test, folder: data.path)
    let reference = try evaluator.measure(test, counts: [test.count], keepsVectors: true)[0]
    self.test = reference
    let compared = min(samples, test.count)
    let training = try FashionMNIST(.training, folder: data.path)
    let floor = try evaluator.measure(training, counts: [min(samples, training.count)])[0]
    real = ComparisonReport.Real(
      distance: try floor.features.distance(to: reference.features),
      diversity: Diversity(
        reference.vectors!.chosen(0..<compared),
        prompts: test.classes.prefix(compared).map { Int($0) }
      ).mean)
    content = try WeightFiles.contentHash(classifier) + test.contentHash
  }

  var names: ComparisonReport.Names {
    let nearest = PictureMeasures.neighbors
    return ComparisonReport.Names(
      distance: "Fréchet distance",
      accuracy: "the fraction classified as the requested class",
      precision: "the fraction nearer to a real picture than its \(nearest)th neighbor is",
      recall: "the fraction of as many real pictures that are in this way near to a generated one",
      diversity: "the mean of 1 − cosine of the features of two pictures of a class")
  }

  func check(_ recipe: TrainingRecipe, _ name: String) throws {
    try evaluator.check(recipe.model, name)
  }

  func measure(
    _ network: ComparedNetwork, steps: [Int], progress: @escaping () throws -> Void
  ) throws -> [ComparisonReport.Scores?] {
    let file = try ModelFile(network.weights, on: engine)
    return try steps.map { steps in
      do {
        return try scores(
          evaluator.measure(
            file, settings: file.card.sampler(steps), samples: [samples], seed: 0,
            keepsVectors: true, on: engine, progress: { _ in try progress() }
          ).measurements[0])
      } catch EvaluationError.featuresNotFinite {
        return nil
      } catch PipelineError.imagesNotFinite {
        return nil
      }
    }
  }

  private func scores(_ made: Evaluator.Measurement) throws -> ComparisonReport.Scores {
    let measures = try evaluator.measures(of: made, comparedTo: test)
    return ComparisonReport.Scores(
      distance: try made.features.distance(to: test.features), accuracy: made.accuracy,
      precision: measures.precision, recall: measures.recall, diversity: measures.diversity)
  }
}
