import Datasets
import Foundation
import Recipe
import Training

/// What `twinflow compare` is told: methods that are trained from the same base model under the same
/// budget of network evaluations, and how they are measured.
public struct ComparisonRecipe: Codable, Hashable, Sendable {
  /// What the report is called.
  public var title: String
  /// The training recipe that all methods share, a path relative to the working directory.
  public var recipe: String
  /// How the base model differs from it, as `key=value`; nil where the recipe names its start.
  public var base: [String]?
  /// The sets of points to compare on, one after the other, each with a base model of its own; nil for
  /// the shared recipe's data.
  public var sets: [Points]?
  /// Network evaluations of one sample that each method may make; an evaluation with its gradient
  /// counts as three.
  public var evaluations: Double
  /// The numbers of steps that are measured.
  public var steps: [Int]
  /// How many samples are measured.
  public var samples: Int
  /// The methods.
  public var methods: [Method]
  /// The folder for runs and reports.
  public var output: String

  /// A method by its settings.
  public struct Method: Codable, Hashable, Sendable {
    /// What it is called in the report.
    public var name: String
    /// How it differs from the shared recipe, as `key=value`.
    public var set: [String]

    enum CodingKeys: String, CodingKey { case name, set }

    /// Reads a method.
    public init(from decoder: any Decoder) throws {
      let keys = try decoder.container(keyedBy: CodingKeys.self)
      name = try keys.value(.name, where: { !$0.isEmpty }, "it must say something")
      set = try keys.value(.set, default: [])
    }
  }

  /// What every training recipe of the comparison is set to.
  private var shared: [String] = []

  enum CodingKeys: String, CodingKey {
    case title, recipe, base, sets, evaluations, steps, samples, methods, output
  }

  /// Reads a comparison.
  ///
  /// - Throws: an error that names the key, and what is valid.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    title = try keys.value(.title)
    recipe = try keys.path(.recipe)
    base = try keys.value(.base, default: nil)
    sets = try keys.value(.sets, default: nil)
    evaluations = try keys.value(.evaluations, where: { $0 > 0 }, "it must be above 0")
    steps = try keys.value(
      .steps, default: [1, 2, 4, 8], where: { !$0.isEmpty && $0.allSatisfy { $0 > 0 } },
      "it must be numbers of steps, as in [1, 2, 4, 8]")
    samples = try keys.value(
      .samples, default: 2000, where: { $0 > 0 && $0 % Evaluator.batch == 0 },
      "it must be a multiple of \(Evaluator.batch)")
    methods = try keys.value(
      .methods,
      where: { methods in !methods.isEmpty && Set(methods.map(\.name)).count == methods.count },
      "it must list methods of different names")
    output = try keys.path(.output)
  }

  /// The comparisons on each of the sets, or this one alone where there are none.
  public var parts: [ComparisonRecipe] {
    (sets ?? []).isEmpty
      ? [self]
      : sets!.map { set in
        var part = self
        part.sets = nil
        part.title += ": \(set.rawValue)"
        part.output += "/\(set.rawValue)"
        part.shared.append("data.kind=\(set.rawValue)")
        return part
      }
  }

  /// The training recipe of the base model, nil where the shared recipe names its start.
  ///
  /// - Throws: `RecipeError`.
  func baseRecipe() throws -> TrainingRecipe? {
    try base.map { try training($0 + ["output=\(output)/base"]) }
  }

  /// The training recipe of a method; its number of steps follows from the budget.
  ///
  /// - Throws: `RecipeError`, and `ComparisonError` for a budget below one step.
  func training(_ method: Method) throws -> TrainingRecipe {
    var settings = method.set
    if base != nil, !settings.contains(where: { $0.hasPrefix("start=") }) {
      settings.append("start=\(output)/base/weights.safetensors")
    }
    var recipe = try training(settings + ["output=\(output)/\(Self.folder(method.name))"])
    let cost = try TrainingCost(recipe)
    recipe.steps = Int(evaluations / cost.evaluations)
    guard recipe.steps > 0 else {
      throw ComparisonError.budgetTooSmall(
        method: method.name, evaluations: evaluations, needed: cost.evaluations)
    }
    return recipe
  }

  private func training(_ settings: [String]) throws -> TrainingRecipe {
    try RecipeDecoder.decode(
      TrainingRecipe.self, contentsOf: recipe,
      settings: (shared + settings).map { try RecipeSetting($0) })
  }

  /// A name as one of a folder.
  static func folder(_ name: String) -> String {
    let words = name.lowercased().split { !($0.isLetter || $0.isNumber) }
    return words.isEmpty ? "method" : words.joined(separator: "-")
  }
}

/// What can be wrong with a comparison, besides the errors of recipes and files.
public enum ComparisonError: Error, Equatable, CustomStringConvertible {
  /// The budget does not reach for one step.
  case budgetTooSmall(method: String, evaluations: Double, needed: Double)
  /// Nothing measures how near samples come to the data.
  case noYardstick(data: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .budgetTooSmall(let method, let evaluations, let needed):
      "A budget of \(evaluations) evaluations is less than the \(needed) of one step of \(method). "
        + "Raise evaluations, or lower the batch."
    case .noYardstick(let data):
      "Nothing measures how near samples come to \(data). Compare on fashion-mnist or on points."
    }
  }
}
