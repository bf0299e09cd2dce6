import Datasets
import Runtime

/// The data of a run: they are opened and checked first, and encoded when all else is known to be right.
struct RunData {
  /// What a step takes of each sample.
  let inputs: StepInputs
  /// The hash of the data's content.
  let content: String
  private let make:
    (_ folder: String, _ checking: @escaping (String) throws -> Void) throws -> Prepared

  /// Data that can be trained on.
  struct Prepared {
    /// The stream of batches.
    let batches: any BatchSource
    /// The pictures and texts that were encoded for it, and not in the cache before.
    let encoded: (pictures: Int, texts: Int)
    /// What sample grids are made from.
    let grid: () throws -> GridSource
  }

  /// Opens the data of a recipe.
  ///
  /// - Parameter notice: called with sentences for the user.
  /// - Throws: the errors of the data, and those of the model that encodes them.
  init(
    _ recipe: TrainingRecipe, on engine: Engine, notice: @escaping (String) -> Void
  ) throws {
    if let data = recipe.encodedData {
      let encoder = try DataEncoder(recipe, data, on: engine, notice: notice)
      inputs = encoder.inputs
      content = encoder.samples.content
      make = { folder, check in
        let data = try encoder.encoded(in: folder, checking: check)
        return Prepared(
          batches: EncodedBatches(data.set, size: recipe.batch, seed: recipe.seed),
          encoded: data.made
        ) {
          try encoder.gridSource(data.grid!, on: engine)
        }
      }
      return
    }
    guard let data = recipe.data.arrayDataSet else {
      preconditionFailure("data are arrays or prompts")
    }
    let batches = try data.batches(size: recipe.batch, seed: recipe.seed, notice: notice)
    inputs = try StepInputs(recipe)
    content = batches.content
    make = { _, _ in
      Prepared(batches: batches, encoded: (0, 0)) { try GridSource(recipe, on: engine) }
    }
  }

  /// Encodes what is to be encoded.
  ///
  /// - Parameters:
  ///   - folder: the folder of the run, in which the cache is where the recipe names no other.
  ///   - check: called before each sample is encoded; an error that it throws ends the encoding.
  /// - Throws: the errors of encoding.
  func prepared(
    in folder: String,
    checking check: @escaping (_ before: String) throws -> Void = { _ in }
  ) throws -> Prepared { try make(folder, check) }
}
