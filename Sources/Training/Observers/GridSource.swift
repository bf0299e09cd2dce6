import Datasets
import Flow
import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// What sample grids are made from, decided before a run starts: the prompts as the network takes them, and
/// how samples become pictures.
struct GridSource {
  /// The names of the rows: prompts or classes.
  let rows: [String]
  /// The reference image of each row; empty without.
  let references: [Picture]
  /// The shape of a batch of samples, a row of the grid each.
  let shape: Shape
  /// The conditions of the rows.
  let given: Named<ShardedArray>
  /// The base model's sampling.
  let base: Sampling
  /// The numbers of steps with the sampling of the trained network.
  let trained: [Sampling]
  /// The network with guidance, and its condition.
  let guided:
    @Sendable (any VelocityModel, Denoiser.TracedConditions) -> (
      any VelocityModel, Named<Tensor>
    )
  /// The conditions that guidance leads away from, for pipelines that take them apart.
  let unconditional: Named<ShardedArray>
  /// The pictures `[batch, height, width, channels]` of samples, within ±1.
  let pixels: (ShardedArray) throws -> ShardedArray

  /// How a network is sampled.
  struct Sampling {
    /// The name in the grid, as in `4 steps`.
    let name: String
    /// The numbers of the steps.
    let steps: [SamplerSettings.Step<Double>]
    /// The scale of guidance, nil for none.
    let guidance: Double?
  }

  /// The source for a network that is conditioned on classes, or on nothing.
  ///
  /// - Throws: `PipelineError.unknownClass` for a prompt that is no class, and the plugin's errors.
  init(_ recipe: TrainingRecipe, on engine: Engine) throws {
    let (model, conditioner) = (recipe.model, recipe.model.conditioner)
    let classNames = recipe.data.dataSet is FashionMNISTData ? FashionMNIST.classNames : []
    let numbers: [Prompt]
    if model.classes == 0 {
      numbers = [""]
    } else if recipe.samplePrompts.isEmpty {
      numbers = (0..<min(model.classes, Self.mostClasses)).map { .classNumber($0) }
    } else {
      numbers = recipe.samplePrompts.map { text in
        classNames.firstIndex(of: text).map { .classNumber($0) } ?? Prompt(text)
      }
    }
    rows = numbers.map { prompt in
      Int(prompt.text).map { classNames.indices.contains($0) ? classNames[$0] : "class \($0)" }
        ?? ""
    }
    references = []
    given = try conditioner.prepare(numbers).mapValues { try engine.array($0) }
    unconditional = Named()
    shape = Shape([numbers.count] + model.sampleShape().sizes)
    let card = try recipe.startPath().map { try ModelHeader($0).card }
    let steps = recipe.sampleBaseSteps
    let isAnyStep = card?.anyStep ?? false
    base = Sampling(
      name: Self.name(steps),
      steps: (isAnyStep ? SamplerSettings.preset(steps) : .euler(steps)).steps,
      guidance: card.map(\.guidance).flatMap { $0 == 0 ? nil : $0 })
    trained = Self.trained(recipe) { SamplerSettings.euler($0).steps }
    guided = { network, conditions in
      guard let (_, scale) = conditions.guidance else {
        return (network, conditioner(conditions.given))
      }
      let network = GuidedModel(
        network, unconditional: conditioner.unconditional(conditions.given), scale: scale)
      return (network, conditioner(conditions.given))
    }
    pixels = { $0 }
  }

  /// The most classes that get a row each.
  static let mostClasses = 10

  /// The source for a network that takes text.
  ///
  /// - Parameters:
  ///   - pipeline: the model whose encoders and autoencoder are used.
  ///   - size: the size of the pictures.
  ///   - prompts: the encoded prompts.
  init(
    _ recipe: TrainingRecipe, _ pipeline: ImagePipeline, _ size: ImageSize,
    _ prompts: GridPrompts, on engine: Engine
  ) throws {
    (rows, references) = (prompts.texts, prompts.references)
    shape = pipeline.latentShape(batch: rows.count, size)
    given = try prompts.given.mapValues { try engine.array($0) }
    unconditional = try prompts.unconditional.mapValues { try engine.array($0) }
    let (kind, scheduler) = (pipeline.kind, pipeline.scheduler)
    let tokens = pipeline.tokenCount(size)
    let euler = { (count: Int) in scheduler.steps(count, tokens: tokens) }
    base = Sampling(
      name: Self.name(recipe.sampleBaseSteps), steps: euler(recipe.sampleBaseSteps),
      guidance: kind.defaultGuidance > kind.guidanceStart ? kind.defaultGuidance : nil)
    trained = Self.trained(recipe, otherwise: euler)
    guided = { network, conditions in
      guard let (unconditional, scale) = conditions.guidance else {
        return (network, conditions.given)
      }
      let guided = TrueGuidance(
        network: network, unconditional: unconditional, scale: scale, rule: kind.guidance)
      return (guided, conditions.given)
    }
    pixels = { latents in
      defer { pipeline.codec.release() }
      return try pipeline.codec.decode(latents, tile: pipeline.options.tiling)
    }
  }

  private static func trained(
    _ recipe: TrainingRecipe, otherwise euler: (Int) -> [SamplerSettings.Step<Double>]
  ) -> [Sampling] {
    let isAnyStep = recipe.objective.settings.teachesAnyStep
    return recipe.sampleSteps.map { count in
      Sampling(
        name: name(count), steps: isAnyStep ? SamplerSettings.preset(count).steps : euler(count),
        guidance: recipe.guidance == 0 ? nil : recipe.guidance)
    }
  }

  private static func name(_ steps: Int) -> String { "\(steps) step\(steps == 1 ? "" : "s")" }
}
