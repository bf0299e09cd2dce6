import Datasets
import Runtime

/// The data of a run: they are opened and checked first, and encoded when all else is known to be right.
struct RunData {
  /// What a step takes of each sample.
  let inputs: StepInputs
  /// The hash of the data's content.
  let content: String
  private let make:
    (_ folder: String, _ checking: @escaping (String) throws -> Void) throws -> any BatchSource
  private let makeGrid: () throws -> GridSource

  /// Opens the data of a recipe.
  ///
  /// - Parameter notice: called with sentences for the user.
  /// - Throws: the errors of the data, and those of the model that encodes them.
  init(
    _ recipe: TrainingRecipe, on engine: Engine, notice: @escaping (String) -> Void
  ) throws {
    if let data = recipe.data.promptDataSet {
      let encoder = try DataEncoder(recipe, data, on: engine, notice: notice)
      inputs = encoder.inputs
      content = encoder.samples.content
      makeGrid = { try encoder.grid(on: engine) }
      make = { folder, check in
        EncodedBatches(
          try encoder.encoded(in: folder, checking: check), size: recipe.batch, seed: recipe.seed)
      }
      return
    }
    guard let data = recipe.data.arrayDataSet else {
      preconditionFailure("data are arrays or prompts")
    }
    let batches = try data.batches(size: recipe.batch, seed: recipe.seed, notice: notice)
    inputs = try StepInputs(recipe)
    content = batches.content
    make = { _, _ in batches }
    makeGrid = { try GridSource(recipe, on: engine) }
  }

  /// What sample grids are made from; prompts are encoded for it.
  ///
  /// - Throws: the errors of encoding, and `PipelineError.unknownClass`.
  func grid() throws -> GridSource { try makeGrid() }

  /// The stream of batches.
  ///
  /// - Parameters:
  ///   - folder: where scratch files may be made.
  ///   - check: called before each sample is encoded; an error that it throws ends the encoding.
  /// - Throws: the errors of encoding.
  func batches(
    in folder: String,
    checking check: @escaping (_ before: String) throws -> Void = { _ in }
  ) throws -> any BatchSource { try make(folder, check) }
}
