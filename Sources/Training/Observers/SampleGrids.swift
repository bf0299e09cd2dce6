import Files
import Flow
import Foundation
import Layers
import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// Draws a grid of samples every few steps of a run, always from the same noise and prompts: a row for each
/// prompt; the base model at its own number of steps, and the network that is trained at few.
///
/// The base model is sampled once, at the start of a run; its pictures are kept in the folder for a run that
/// is resumed. Weights are used where they are, and random numbers are the grid's own, so that the run is
/// the same with grids and without.
final class SampleGrids: RunObserver {
  private let recipe: TrainingRecipe
  private let source: GridSource
  private let engine: Engine
  private let folder: SampleFolder
  private let notice: (String) -> Void
  private let weights = PresentWeights()
  private var denoiser: (trained: Denoiser, component: Component)?
  private var base: [Picture]?
  /// The step that the run starts from.
  private var first = 0

  /// The seed of all noise in grids.
  private static let seed: UInt64 = 0

  init(
    _ recipe: TrainingRecipe, _ source: GridSource, on engine: Engine,
    notice: @escaping (String) -> Void
  ) {
    (self.recipe, self.source, self.engine, self.notice) = (recipe, source, engine, notice)
    folder = SampleFolder(of: recipe.output)
  }

  func begin(_ start: RunStart) throws {
    try folder.prepare(after: start.step)
    first = start.step
    guard start.step > 0, recipe.start != nil else { return }
    base = try readBase()
    if base == nil {
      notice(
        "The base model is sampled at the start of a run, and \(folder.base) is not there: grids go "
          + "without it.")
    }
  }

  func looksAtWeights(after step: Int) -> Bool {
    guard step > 0 else { return recipe.start != nil }
    let isDue = step % recipe.sampleEvery == 0 || step == recipe.steps
    return isDue && !(step == first && folder.steps.contains(step))
  }

  func look(at weights: RunWeights) throws -> [Finding] {
    defer { self.weights.set(Named()) }
    guard weights.step > 0 else {
      base = try sampleBase(weights)
      return []
    }
    let page = try page(weights)
    let texts = [
      ("Software", "twinflow \(programVersion)"), ("twinflow.step", "\(weights.step)"),
      ("twinflow.seed", "\(Self.seed)"), ("twinflow.guidance", "\(recipe.guidance)"),
    ]
    try page.write(to: folder.path(weights.step), texts: texts.map { (key: $0.0, text: $0.1) })
    return [.picture("samples", page)]
  }

  // MARK: - Sampling

  /// The samples of the network that is trained, as a page of one sheet for each number of steps.
  private func page(_ present: RunWeights) throws -> Picture {
    let denoiser = trainedDenoiser(present.parameters)
    weights.set(present.parameters)
    defer { denoiser.component.release() }
    var sheets: [Sheet] = []
    if !source.references.isEmpty {
      sheets.append(sheet("reference", "", source.references, columns: 1))
    }
    if let base {
      sheets.append(sheet("base", caption(source.base), base, columns: recipe.sampleCount))
    }
    for sampling in source.trained {
      let pictures = try sample(denoiser.trained, sampling)
      sheets.append(
        sheet(
          sampling.name, caption(sampling, isBase: false), pictures, columns: recipe.sampleCount))
    }
    sheets[0].rows = source.rows.map(Self.shortened)
    return try Sheet.page(sheets)
  }

  private func sheet(_ title: String, _ caption: String, _ pictures: [Picture], columns: Int)
    -> Sheet
  {
    var sheet = Sheet(title: title, caption: caption, columns: columns, pictures: pictures)
    sheet.scale = (pictures.first?.width ?? 0) <= 64 ? 2 : 1
    return sheet
  }

  private func caption(_ sampling: GridSource.Sampling, isBase: Bool = true) -> String {
    let guidance = sampling.guidance.map { String(format: "guidance %g", $0) }
    return [isBase ? sampling.name : nil, guidance].compactMap { $0 }.joined(separator: ", ")
  }

  private static func shortened(_ name: String) -> String {
    name.count <= 40 ? name : name.prefix(39) + "…"
  }

  /// The denoiser for the weights that are trained; its programs are compiled once.
  private func trainedDenoiser(
    _ parameters: Named<ShardedArray>
  ) -> (trained: Denoiser, component: Component) {
    if let denoiser { return denoiser }
    let (recipe, convention) = (recipe, recipe.objective.settings.timeConvention)
    let made = denoiser(parameters) { weights in
      convention.applied(to: recipe.generatingModel.velocityModel(weights, lora: recipe.lora)!)
    }
    denoiser = made
    return made
  }

  /// The samples of the base model, which the weights are before the first step, without LoRA.
  private func sampleBase(_ present: RunWeights) throws -> [Picture] {
    let parameters = present.parameters.filter { !LoRA.isFactor($0) }
    let model = recipe.generatingModel
    let base = denoiser(parameters) { model.velocityModel($0)! }
    weights.set(parameters)
    defer { base.component.release() }
    let pictures = try sample(base.trained, source.base)
    try writeBase(pictures)
    return pictures
  }

  private func denoiser(
    _ parameters: Named<ShardedArray>,
    bound: @escaping @Sendable (Named<Tensor>) -> any VelocityModel
  ) -> (trained: Denoiser, component: Component) {
    let component = Component(
      path: recipe.output, files: [], types: parameters.types,
      shardings: parameters.shardings
    ) { [weights] in weights.get() }
    let denoiser = Denoiser(
      Denoiser.Network(component, compute: recipe.precision.dtype, bound: bound),
      shape: source.shape, randomness: .batch, on: engine, guided: source.guided)
    return (denoiser, component)
  }

  /// The pictures of each row in turn, `sample_count` of each.
  ///
  /// - Throws: `PipelineError.imagesNotFinite`, and the plugin's errors.
  private func sample(_ denoiser: Denoiser, _ sampling: GridSource.Sampling) throws -> [Picture] {
    var conditions = Denoiser.Conditions(source.given)
    if let scale = sampling.guidance {
      conditions = Denoiser.Conditions(
        source.given, unconditional: source.unconditional,
        scale: try engine.array([Float(scale)], shape: []))
    }
    let runs = try (0..<recipe.sampleCount).map { number in
      let key = Named([
        ("key", try engine.array([Self.seed, 0], shape: [2])),
        ("number", try engine.array([UInt64(number)], shape: [])),
      ])
      let start = try denoiser.noise(key, steps: sampling.steps.count)
      let (samples, areFinite) = try denoiser(start, sampling.steps, conditions)
      guard areFinite else {
        throw PipelineError.imagesNotFinite(path: recipe.output, guidance: sampling.guidance ?? 0)
      }
      return try Self.pictures(source.pixels(samples))
    }
    return source.rows.indices.flatMap { row in runs.map { $0[row] } }
  }

  private static func pictures(_ pixels: ShardedArray) throws -> [Picture] {
    let sizes = pixels.type.shape.sizes
    let count = sizes[1] * sizes[2] * sizes[3]
    let numbers = try pixels.array(of: Float.self)
    return try (0..<sizes[0]).map { row in
      try Picture(
        width: sizes[2], height: sizes[1], channels: sizes[3],
        numbers: numbers[row * count..<(row + 1) * count])
    }
  }

  // MARK: - The base model's pictures in the folder

  private func writeBase(_ pictures: [Picture]) throws {
    let size = pictures[0]
    // One below the other, a picture is a run of bytes.
    let column = Picture(
      width: size.width, height: size.height * pictures.count, channels: size.channels,
      values: pictures.flatMap(\.values))
    try column.write(to: folder.base, texts: [(key: "twinflow.grid", text: gridText)])
  }

  /// The pictures of the base model; nil where there are none for this grid.
  private func readBase() throws -> [Picture]? {
    guard FileManager.default.fileExists(atPath: folder.base) else { return nil }
    let (column, texts) = try Picture.read(folder.base)
    guard texts["twinflow.grid"] == gridText else { return nil }
    let count = source.rows.count * recipe.sampleCount
    let bytes = column.values.count / count
    return (0..<count).map { number in
      Picture(
        width: column.width, height: column.height / count, channels: column.channels,
        values: Array(column.values[number * bytes..<(number + 1) * bytes]))
    }
  }

  /// What the pictures of the base model depend on.
  private var gridText: String {
    "\(source.rows) × \(recipe.sampleCount), \(source.base.name)"
  }
}
