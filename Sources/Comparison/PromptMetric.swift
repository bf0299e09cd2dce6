import Evaluation
import Files
import Models
import Pictures
import Pipelines
import Runtime
import Training

/// The prompts that pictures of text-to-image models are measured on.
public struct ComparedPrompts: Hashable, Sendable {
  /// The file of prompts, see `PromptSet`.
  public var file = ""
  /// The split of it; nil for all prompts.
  public var split: String?
  /// The number of pictures of each prompt.
  public var samples = 2
  /// The benchmark whose score is the accuracy; nil for the retrieval of real pictures.
  public var benchmark: Scored?

  /// A benchmark that needs no judge from elsewhere.
  public enum Scored: String, Codable, Hashable, Sendable, CaseIterable {
    /// Scenes of emoji.
    case emojiCompositions = "emoji-compositions"
  }
}

/// Measures pictures of prompts by the features of EfficientNet-Lite0, and what they show by the score of a
/// benchmark.
struct PromptMetric: Metric {
  let content: String
  private let evaluation: PromptEvaluation
  private let scoring: SceneScoring?
  private let encoded: EncodedPrompts
  private let size: ImageSize
  private let precision: Precision
  private let engine: Engine

  private static let textMultiple = 16

  /// Reads prompts and real pictures, and encodes the prompts.
  ///
  /// - Parameters:
  ///   - samples: the number of pictures.
  ///   - recipe: a recipe whose model has the encoder of the prompts.
  init(
    _ prompts: ComparedPrompts, samples: Int, _ recipe: TrainingRecipe, on engine: Engine
  ) throws {
    (self.engine, precision) = (engine, recipe.precision)
    let found = try PromptSet(prompts.file)
    let set = prompts.split == nil ? found.joined : found
    var options = PromptEvaluation.Options()
    options.splits = [prompts.split].compactMap { $0 }
    options.samplesPerPrompt = prompts.samples
    options.promptsPerSplit = max(1, samples / prompts.samples)
    let sides = recipe.data.promptDataSet!.size
    size = ImageSize(height: sides[0], width: sides[1])
    let network = try PictureFeaturesSource(nil).load(on: engine)
    evaluation = try PromptEvaluation(
      set, options, size: size, by: network, on: engine, cache: FeatureCache())
    try Self.checkPictures(evaluation, prompts)
    scoring = try prompts.benchmark == nil ? nil : SceneScoring(on: engine)
    try scoring?.check(evaluation.prompts, path: prompts.file)
    let pipeline = try recipe.pipeline(with: nil, on: engine) {
      $0.textMultiple = Self.textMultiple
    }
    var request = ImageRequest(prompt: set.lines[0].prompt)
    request.size = size
    encoded = try EncodedPrompts(evaluation.prompts, like: request, by: pipeline) { _ in }
    let judge = scoring.map { " \($0.content)" } ?? ""
    content = "\(set.hash) \(prompts) \(network.hash)\(judge)"
  }

  /// Checks that distances and the own pictures of prompts can be measured.
  private static func checkPictures(
    _ evaluation: PromptEvaluation, _ prompts: ComparedPrompts
  ) throws {
    let own = evaluation.chosen.flatMap(\.lines).map { evaluation.real.numbers[$0] }
    let found = Set(own.compactMap { $0 }).count
    guard found > 1, !own.contains(nil) else {
      throw ComparisonError.noPictures(path: prompts.file, found: found)
    }
  }

  var names: ComparisonReport.Names {
    let nearest = PictureMeasures.neighbors
    return ComparisonReport.Names(
      distance: "Fréchet distance of the features of EfficientNet-Lite0",
      accuracy: scoring == nil
        ? "the fraction nearer to their own real picture than to any other (top 1)"
        : "the overall score of emoji-compositions",
      precision: "the fraction nearer to a real picture than its \(nearest)th neighbor is",
      recall: "the fraction of real pictures that are in this way near to a generated one",
      diversity: "the mean of 1 − cosine of the features of two pictures of a prompt")
  }

  /// A benchmark's score, where there is one: in one step, distances hardly differ between pictures that show
  /// what was asked for and blurred ones.
  var criterion: ComparisonReport.Criterion { scoring == nil ? .distance : .accuracy }

  /// Real pictures are one for each prompt.
  var real: ComparisonReport.Real { ComparisonReport.Real(distance: nil, diversity: nil) }

  func check(_ recipe: TrainingRecipe, _ name: String) throws {
    let sides = recipe.data.promptDataSet?.size
    guard sides == [size.height, size.width] else {
      throw EvaluationError.otherSize(
        model: name, found: ImageSize(height: sides?[0] ?? 0, width: sides?[1] ?? 0),
        expected: size)
    }
  }

  func measure(
    _ network: ComparedNetwork, steps: [Int], progress: @escaping () throws -> Void
  ) throws -> [ComparisonReport.Scores?] {
    let generation = try generation(network)
    return try steps.map { steps in
      do {
        var results: [GenEvalResult] = []
        let row = try result(
          generation, network.name, steps: steps, progress: { _ in try progress() },
          see: { picture, prompt in
            if let scoring { results.append(try scoring.result(of: picture, prompt)) }
          }
        ).rows[0]
        guard let distance = row.measures.frechetDistance, let top1 = row.measures.top1 else {
          preconditionFailure("the pictures of prompts are checked")
        }
        return ComparisonReport.Scores(
          distance: distance, accuracy: scoring == nil ? top1 : GenEvalSummary(results).overall,
          precision: row.measures.precision, recall: row.measures.recall,
          diversity: row.measures.diversity)
      } catch PipelineError.imagesNotFinite {
        return nil
      }
    }
  }

  /// A page of some prompts: their real pictures, and those of each network in one step.
  func sheet(_ networks: [ComparedNetwork]) throws -> PromptSheet {
    var sheet = PromptSheet(evaluation)
    try sheet.addReal()
    for network in networks {
      do {
        sheet.add(
          try result(
            generation(network), network.name, steps: 1, keeping: Set(sheet.lines)))
      } catch PipelineError.imagesNotFinite {
        continue
      }
    }
    return sheet
  }

  private func generation(_ network: ComparedNetwork) throws -> PromptGeneration {
    var options = ImagePipeline.Options()
    (options.compute, options.textMultiple) = (precision, Self.textMultiple)
    // Several numbers of steps are made of the same weights.
    options.keepsComponents = true
    return PromptGeneration(
      try ModelOfRun.pipeline(
        at: SharedFiles.standard.path(network.folder), options, on: engine), encoded)
  }

  private func result(
    _ generation: PromptGeneration, _ name: String, steps: Int, keeping kept: Set<Int> = [],
    progress: ((Int) throws -> Void)? = nil, see: (RGBImage, String) throws -> Void = { _, _ in }
  ) throws -> PromptEvaluation.Result {
    var request = ImageRequest(prompt: "")
    (request.steps, request.size) = (steps, size)
    return try evaluation.measure(
      generation, name, like: request, keeping: kept, progress: progress, see: see)
  }
}
