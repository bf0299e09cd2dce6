import Evaluation
import Models
import Pipelines
import Runtime
import Tensors
import Training

/// Measures a text-to-image model on prompts every few steps of its run, as `twinflow evaluate --prompts`
/// does.
///
/// Prompts are encoded, and the features of real pictures computed, before the first step.
final class RunPromptEvaluation: RunObserver {
  private let recipe: TrainingRecipe
  private let engine: Engine
  private let evaluation: PromptEvaluation
  private let encoded: EncodedPrompts
  private let request: ImageRequest
  private let weights = PresentWeights()
  private var generation: PromptGeneration?
  private var steps: EvaluationSteps

  /// Prepares evaluations.
  ///
  /// - Parameters:
  ///   - set: the prompts of the recipe's file.
  ///   - say: gets sentences for the user.
  /// - Throws: `EvaluationError`, the errors of opening the model, of weights, and of the plugin.
  init(
    _ recipe: TrainingRecipe, _ set: PromptSet, on engine: Engine,
    say: @escaping (String) -> Void
  ) throws {
    (self.recipe, self.engine) = (recipe, engine)
    steps = EvaluationSteps(recipe)
    let pipeline = try recipe.pipeline(with: nil, on: engine)
    let size = recipe.encodedData!.size
    var request = ImageRequest(prompt: set.lines[0].prompt)
    request.size = ImageSize(height: size[0], width: size[1])
    _ = try pipeline.resolve(request)
    self.request = request
    var options = PromptEvaluation.Options()
    (options.splits, options.promptsPerSplit) = (recipe.evaluateSplits, recipe.evaluateSamples)
    options.samplesPerPrompt = recipe.evaluateCount
    let network = try PictureFeaturesSource(nil).load(on: engine)
    let known = recipe.evaluateSplits.isEmpty ? set.joined : set
    evaluation = try PromptEvaluation(
      known, options, size: request.size!, by: network, on: engine, cache: FeatureCache())
    say(
      "Evaluations are of \(evaluation.prompts.count) prompts, among "
        + "\(evaluation.real.features.count) real pictures.")
    encoded = try recipe.encodedPrompts(
      evaluation.prompts, by: pipeline, multiple: Self.textMultiple, notice: say)
    // A step allocates in other sizes.
    engine.client.giveBackFreedMemory()
  }

  private static let textMultiple = 16

  private static func options(_ options: inout ImagePipeline.Options) {
    options.textMultiple = textMultiple
  }

  func begin(_ start: RunStart) throws { try steps.begin() }

  func looksAtWeights(after step: Int) -> Bool { steps.contains(step) }

  func look(at present: RunWeights) throws -> [Finding] {
    weights.set(try present.merged())
    defer {
      weights.set()
      engine.client.giveBackFreedMemory()
    }
    let generation = try generation ?? opened()
    self.generation = generation
    var found = Named<Float>()
    for count in recipe.evaluateSteps {
      var request = request
      request.steps = count
      for row in try evaluation.measure(generation, "run", like: request).rows {
        let split = recipe.evaluateSplits.isEmpty ? nil : row.split
        for (figure, value) in row.measures.named {
          found[TrainingRecipe.evaluationMetric(figure, split: split, steps: count)] = Float(value)
        }
      }
    }
    return [.metrics(found.filter(recipe.evaluationMetrics.contains))]
  }

  /// The model with the run's transformer, whose programs are compiled once.
  private func opened() throws -> PromptGeneration {
    let now = weights.get()
    let component = Component(
      path: recipe.output, files: [], types: now.types, shardings: now.shardings
    ) { [weights] in weights.get() }
    return PromptGeneration(
      try recipe.pipeline(with: component, on: engine, Self.options), encoded)
  }
}
