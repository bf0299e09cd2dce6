import Datasets
import Evaluation
import Files
import Foundation
import Pipelines
import Runtime
import Tensors
import Training

/// Measures a run on Fashion-MNIST every few steps: the Fréchet distance of its samples to the test
/// pictures, and the fraction classified as the requested class.
final class FrechetEvaluation: RunObserver {
  private let recipe: TrainingRecipe
  private let engine: Engine
  private let evaluator: Evaluator
  private let reference: Evaluator.Measurement
  private var steps: EvaluationSteps

  /// Loads the classifier and measures the test pictures.
  ///
  /// - Throws: `EvaluationError` where the classifier cannot evaluate the network, and the errors of
  ///   files.
  init(_ recipe: TrainingRecipe, on engine: Engine) throws {
    (self.recipe, self.engine) = (recipe, engine)
    steps = EvaluationSteps(recipe)
    evaluator = try Evaluator(
      classifier: SharedFiles.standard.path(shippedClassifier), on: engine)
    try evaluator.check(recipe.model, "the network of the recipe")
    let test = try FashionMNIST(.test, folder: (recipe.data.dataSet as? FashionMNISTData)?.path)
    reference = try evaluator.measure(test, counts: [test.count])[0]
  }

  func begin(_ start: RunStart) throws { try steps.begin() }

  func looksAtWeights(after step: Int) -> Bool { steps.contains(step) }

  func look(at weights: RunWeights) throws -> [Finding] {
    let merged = try weights.merged()
    let component = try Component(path: recipe.output, files: []) { merged }
    let file = ModelFile(path: recipe.output, card: recipe.card, component: component)
    var figures: [Float] = []
    for steps in recipe.evaluateSteps {
      let row = try evaluator.rows(
        "run", file, settings: file.card.sampler(steps), samples: [recipe.evaluateSamples], seed: 0,
        reference: reference, compute: recipe.precision.dtype, on: engine)[0]
      figures += [Float(row.distance), Float(row.accuracy)]
    }
    return [.metrics(Named(zip(recipe.evaluationMetrics, figures)))]
  }
}
