import Datasets
import Files
import Flow
import Foundation
import Recipe
import Evaluation
import Pipelines
import Runtime
import Training

/// The recipe of `twinflow compare`: methods that are trained from the same base model under the same
/// budget of network evaluations, and how they are measured.
public struct ComparisonRecipe: Hashable, Sendable {
  /// The title of the report.
  public var title = ""
  /// The training recipe that all methods share, a path relative to the working directory
  /// or that of a recipe that comes with the program.
  public var recipe = ""
  /// The settings in which the base model and all methods differ from it, as `key=value`.
  public var set: [String] = []
  /// The settings in which the base model differs from it, as `key=value`; nil where the recipe names
  /// its start.
  public var base: [String]?
  /// The sets of points to compare on in sequence, each with a separate base model; nil for the shared
  /// recipe's data.
  public var sets: [Points]?
  /// Network evaluations of one sample that each method may make; an evaluation with its gradient
  /// counts as three.
  public var evaluations = 1.0
  /// The seeds that each method is trained with; nil for that of the training recipe alone.
  public var seeds: [Int]?
  /// The learning rates that are tried for each method that names none; nil for that of the training
  /// recipe.
  public var learningRates: [Double]?
  /// The share of the budget that a trial of a learning rate has.
  public var trialShare = 0.25
  /// The prompts that pictures are made of, for text-to-image models.
  public var prompts: ComparedPrompts?
  /// The numbers of sampling steps to measure.
  public var steps = [1, 2, 4, 8]
  /// The number of samples to measure.
  public var samples = 2000
  /// The methods.
  public var methods: [Method] = []
  /// The folder for runs and reports.
  public var output = ""

  /// A method by its settings.
  public struct Method: Hashable, Sendable {
    /// The name in the report.
    public var name: String
    /// The settings in which it differs from the shared recipe, as `key=value`.
    public var set: [String]
    /// The further settings of consecutive runs, each from the result of the one before, which share the
    /// budget; nil for one run.
    public var stages: [[String]]?
  }

  /// The settings that all training recipes of the comparison share.
  private var shared: [RecipeSetting] = []

  private init() {}
}

extension ComparisonRecipe.Method: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self(name: "", set: [], stages: nil)

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field(
      "name", \.name,
      where: { name in
        !name.allSatisfy(\.isWhitespace)
          && name.rangeOfCharacter(from: .newlines.union(.controlCharacters)) == nil
      }, else: "it must be a line of text", "name in the report"
    ).required,
    Field("set", \.set, "the settings in which it differs, each `key=value`"),
    Field(
      "stages", \.stages, where: { $0.map { $0.count > 1 } ?? true },
      else: "it must be two lists of settings, or more",
      "further settings of consecutive runs, each from the result of the one before, which share the "
        + "budget equally, as progressive distillation has them; absent for one run"),
  ]
}

extension ComparedPrompts: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("file", path: \.file, "JSON lines with `prompt`, `picture` and `split`").required,
    Field("split", \.split, "the split of the file; absent for all prompts"),
    Field(
      "samples_per_prompt", \.samples, in: 1...PromptEvaluation.mostSamples,
      "pictures of each prompt; their number is `samples` in all"),
    Field(
      "benchmark", \.benchmark,
      "benchmark that the prompts are of, and whose score is the accuracy; absent for the fraction of the "
        + "pictures that are nearer to their own real picture than to any other"),
  ]
}

extension ComparisonRecipe: RecipeGroup {
  /// The values of absent keys.
  public static let defaults = Self()

  /// The keys of recipes.
  public static let fields: [Field] = [
    Field("title", \.title, "title of the report").required,
    Field("recipe", path: \.recipe, "the training recipe that all methods share").required,
    Field(
      "set", \.set,
      "the settings in which the base model and all methods differ from it, each `key=value`"
    ),
    Field(
      "base", \.base,
      "the settings in which the base model differs, each `key=value`; absent where the recipe names "
        + "its `start`"),
    Field(
      "sets", \.sets,
      "sets of points to compare on in sequence, each with a separate base model; absent "
        + "for the shared recipe's data"),
    Field(
      "evaluations", \.evaluations, where: { $0 > 0 && $0 <= 1e15 },
      else: "it must be above 0, at most 1e15",
      "network evaluations of one sample that each method may make; one with its gradient counts as "
        + "three"
    ).required,
    Field(
      "seeds", \.seeds, where: { $0.map { !$0.isEmpty && Set($0).count == $0.count } ?? true },
      else: "it must be different seeds",
      "seeds that each method is trained with; absent for that of the shared recipe"),
    Field(
      "learning_rates", \.learningRates,
      where: { $0.map { rates in rates.count > 1 && rates.allSatisfy { $0 > 0 } } ?? true },
      else: "it must be two numbers above 0, or more; a single one belongs into the shared recipe",
      "learning rates that are tried for methods that name none, with the first seed; the one with the "
        + "smallest distance, or the highest score of a benchmark, at the first of `steps` is taken"
    ),
    Field(
      "trial_share", \.trialShare, in: 0.001...1, "share of the budget that a trial has"),
    Field(
      "steps", \.steps,
      where: { !$0.isEmpty && $0.allSatisfy(SamplerSettings.counts.contains) },
      else:
        "it must be numbers of steps up to \(SamplerSettings.counts.upperBound), as in [1, 2, 4, 8]",
      "numbers of sampling steps that are measured"),
    Field("samples", \.samples, in: Evaluator.samples, "samples for each measurement"),
    Field("prompts", \.prompts, "the prompts of pictures, for text-to-image models"),
    Field("methods", \.methods, "the methods").required,
    Field("output", path: \.output, "the folder for runs, reports and charts").required,
  ]

  /// Checks that methods can be distinguished.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public func validate() throws {
    let names = methods.map(\.name)
    guard !names.isEmpty, Set(names).count == names.count else {
      throw invalid(
        \.methods, found: "a list of \(names)", "it must list methods of different names")
    }
    guard !names.contains(Self.baseName) else {
      throw invalid(
        \.methods, found: "a list with \"\(Self.baseName)\"",
        "the base model has that name in the report")
    }
    guard Set(methods.map { folder($0.name) }).count == methods.count else {
      throw invalid(
        \.methods, found: methods.map(\.name), "the names are too alike to name folders")
    }
  }
}

extension ComparisonRecipe {
  /// The comparisons on each of the sets, or only this one where there are none.
  public var comparisons: [ComparisonRecipe] {
    (sets ?? []).isEmpty
      ? [self]
      : sets!.map { set in
        var one = self
        one.sets = nil
        one.title += ": \(set.rawValue)"
        one.output += "/\(set.rawValue)"
        one.shared.append(RecipeSetting(["data", "kind"], to: set.rawValue))
        return one
      }
  }

  /// The training recipe of the base model, nil where the shared recipe names its start.
  ///
  /// - Throws: `RecipeError`.
  func baseRecipe() throws -> TrainingRecipe? {
    try base.map { settings in
      try training(
        settings.map { try RecipeSetting($0, from: "the comparison's base:") },
        folder: Self.baseName)
    }
  }

  /// The training recipe that all methods share.
  ///
  /// - Throws: `RecipeError`.
  func sharedRecipe() throws -> TrainingRecipe { try training([], folder: "shared") }

  /// One of the runs of a method.
  struct Variant: Hashable {
    /// Its seed; nil for the recipe's.
    var seed: Int?
    /// Its learning rate; nil for the recipe's.
    var learningRate: Double?
    /// Whether it is a trial of the learning rate.
    var isTrial = false

    /// Where it is in the folder of the method; empty for that folder itself.
    fileprivate var folder: String {
      if isTrial, let learningRate { return "/trial-\(learningRate)" }
      return seed.map { "/seed-\($0)" } ?? ""
    }
  }

  /// The settings of a method, without those of its stages.
  private func settings(_ method: Method) throws -> [RecipeSetting] {
    try settings(method.set, of: method)
  }

  private func settings(_ texts: [String], of method: Method) throws -> [RecipeSetting] {
    try texts.map { try RecipeSetting($0, from: "the comparison's method \"\(method.name)\":") }
  }

  /// The learning rates that are tried for a method; none where it names its own.
  func trials(_ method: Method) throws -> [Variant] {
    guard let learningRates,
      try !settings(method).contains(where: {
        $0.path.starts(with: ["optimizer"])
          && ["optimizer", "learning_rate"].contains($0.path.last)
      })
    else { return [] }
    return learningRates.map { Variant(seed: seeds?.first, learningRate: $0, isTrial: true) }
  }

  /// The training recipes of one of the runs of a method, one for each of its stages; the numbers of
  /// steps follow from the budget.
  ///
  /// - Throws: `RecipeError`, and `ComparisonError` for a budget below one step or beyond counting.
  func stages(_ method: Method, as variant: Variant = Variant()) throws -> [TrainingRecipe] {
    var shared = try settings(method)
    if let seed = variant.seed { shared.append(try RecipeSetting("seed=\(seed)")) }
    if let rate = variant.learningRate {
      shared.append(try RecipeSetting("optimizer.learning_rate=\(rate)"))
    }
    let all = method.stages ?? [[]]
    let evaluations = evaluations * (variant.isTrial ? trialShare : 1) / Double(all.count)
    var recipes: [TrainingRecipe] = []
    for (number, own) in all.enumerated() {
      var settings = try shared + settings(own, of: method)
      if let before = recipes.last {
        settings += Self.start(from: before, first: recipes[0])
      } else if base != nil, !settings.contains(where: { $0.path == ["start"] }) {
        settings.append(
          RecipeSetting(["start"], to: "\(output)/\(Self.baseName)/weights.safetensors"))
      }
      // The last one is the run of the method.
      let stage = number + 1 < all.count ? "/stage-\(number + 1)" : ""
      var recipe = try training(settings, folder: folder(method.name) + variant.folder + stage)
      recipe.steps = try steps(recipe, method, for: evaluations)
      recipes.append(recipe)
    }
    return recipes
  }

  /// The settings by which a stage starts from the one before it: from its weights, or from its whole folder
  /// where that is a model with encoders. Where only the start of the first stage has encoders, they are used.
  private static func start(
    from before: TrainingRecipe, first: TrainingRecipe
  ) -> [RecipeSetting] {
    guard !before.isModel else { return [RecipeSetting(["start"], to: before.output)] }
    let start = RecipeSetting(["start"], to: before.result)
    guard first.encodedData != nil, first.encoders == nil, let model = first.start else {
      return [start]
    }
    return [start, RecipeSetting(["encoders"], to: model)]
  }

  /// The number of steps that a budget is enough for.
  private func steps(
    _ recipe: TrainingRecipe, _ method: Method, for evaluations: Double
  ) throws -> Int {
    let cost = try TrainingCost(recipe)
    let steps = evaluations / cost.evaluations
    guard steps >= 1 else {
      throw ComparisonError.budgetTooSmall(
        method: method.name, evaluations: evaluations, needed: cost.evaluations)
    }
    guard steps <= Double(TrainingRecipe.mostSteps) else {
      throw ComparisonError.budgetTooLarge(
        method: method.name, evaluations: evaluations,
        most: Double(TrainingRecipe.mostSteps) * cost.evaluations)
    }
    return Int(steps)
  }

  private func training(_ settings: [RecipeSetting], folder: String) throws -> TrainingRecipe {
    try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: SharedFiles.standard.recipe(recipe),
      settings: shared + set.map { try RecipeSetting($0, from: "the comparison's set:") } + settings
        + [RecipeSetting(["output"], to: "\(output)/\(folder)")])
  }

  /// The name of the base model in the report, and of its folder.
  static let baseName = "base"

  /// The folder of a method: its name in small letters, and where another method's would be the same,
  /// what tells the names apart.
  func folder(_ name: String) -> String {
    let plain = Self.plainFolder(name)
    let others = methods.map(\.name).filter { $0 != name }.map(Self.plainFolder)
    let isAlone = !others.contains(plain) && plain != Self.baseName
    return isAlone ? plain : "\(plain)-\(ContentHash.of(name).prefix(8))"
  }

  /// The letters and numbers of a name, in small letters.
  private static func plainFolder(_ name: String) -> String {
    let words = name.lowercased().split { !($0.isLetter || $0.isNumber) }
    let folder = words.isEmpty ? "method" : words.joined(separator: "-")
    // A file name has 255 bytes at most.
    return folder.utf8.count <= 100 ? folder : "method-\(ContentHash.of(name).prefix(8))"
  }
}

/// What can be wrong with a comparison, besides the errors of recipes and files.
public enum ComparisonError: Error, Equatable, CustomStringConvertible {
  /// The budget does not reach for one step.
  case budgetTooSmall(method: String, evaluations: Double, needed: Double)
  /// The budget is for more steps than can be counted.
  case budgetTooLarge(method: String, evaluations: Double, most: Double)
  /// Nothing measures how near samples come to the data.
  case noMetric(data: String)
  /// Pictures of prompts are compared, and the recipe names no prompts.
  case noPrompts(data: String)
  /// Some of the prompts have no real picture, or all have the same one.
  case noPictures(path: String, found: Int)
  /// No trial of a learning rate has made samples that can be measured.
  case noLearningRate(method: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .budgetTooSmall(let method, let evaluations, let needed):
      "A budget of \(evaluations) evaluations is less than the \(needed) of one step of \(method). "
        + "Raise evaluations, or lower the batch."
    case .budgetTooLarge(let method, let evaluations, let most):
      "A budget of \(evaluations) evaluations is for more steps of \(method) than can be counted. "
        + "Lower evaluations to \(most) at most."
    case .noLearningRate(let method):
      "With every one of learning_rates the samples of \(method) are not finite. Add smaller ones."
    case .noPrompts(let data):
      "Pictures of prompts from \(data) are to be compared, and the recipe names no prompts. Add, for "
        + "example, prompts: {file: prompts.jsonl}, with lines such as "
        + #"{"prompt": "a red apple", "picture": "apple.png"}."#
    case .noPictures(let path, let found):
      "The chosen prompts of \(path) have \(found) different real pictures, and each needs one, of two at "
        + "least in all. Name them with `picture`, raise samples, or choose another split."
    case .noMetric(let data):
      "Nothing measures how near samples come to \(data). Compare on fashion-mnist, on points, or "
        + "text-to-image models on images."
    }
  }
}
