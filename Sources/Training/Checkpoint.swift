import Files
import Foundation
import Tensors
import Weights

/// The whole state of a run in one safetensors file, with the recipe and the position in the data
/// in its metadata.
struct Checkpoint {
  /// How many steps had been made.
  let step: Int
  /// Where the stream of batches stood.
  let batches: String
  private let recipe: TrainingRecipe
  private let file: WeightFiles

  private static let (stepKey, batchesKey, recipeKey) = ("step", "batches", "recipe")

  /// Opens a checkpoint.
  ///
  /// - Throws: `TrainingError.nothingToResume`, or `WeightsError` for a damaged file.
  init(_ path: String) throws {
    guard WeightFiles.exist(at: path) else {
      throw TrainingError.nothingToResume(path: path)
    }
    file = try WeightFiles(path: path)
    guard let step = file.metadata[Self.stepKey].flatMap(Int.init),
      let batches = file.metadata[Self.batchesKey], let json = file.metadata[Self.recipeKey],
      let recipe = try? JSONDecoder().decode(TrainingRecipe.self, from: Data(json.utf8))
    else { throw TrainingError.notACheckpoint(path: path) }
    self.step = step
    self.batches = batches
    self.recipe = recipe
  }

  /// Checks that a run of this recipe may go on from here: only the length of the run, its folder,
  /// how often it reports and what it is spread over may differ.
  ///
  /// - Throws: `TrainingError.otherRun`, which names the first difference.
  func check(_ other: TrainingRecipe) throws {
    var (mine, other) = (recipe, other)
    for key in [\TrainingRecipe.steps, \.logEvery, \.checkpointEvery] {
      mine[keyPath: key] = 0
      other[keyPath: key] = 0
    }
    (mine.output, other.output) = ("", "")
    (mine.start, other.start) = (nil, nil)
    (mine.mesh, other.mesh) = (Mesh(), Mesh())
    guard mine != other else { return }
    let fields: [(String, (TrainingRecipe) -> AnyHashable)] = [
      ("model", { $0.model }), ("objective", { $0.objective }), ("data", { $0.data }),
      ("optimizer", { $0.optimizer }), ("batch", { $0.batch }), ("adapters", { $0.adapters }),
      ("condition_dropout", { $0.conditionDropout }), ("smoothing", { $0.smoothing }),
      ("seed", { $0.seed }), ("guidance", { $0.guidance }),
    ]
    let name = fields.first { $0.1(mine) != $0.1(other) }?.0 ?? "recipe"
    throw TrainingError.otherRun(path: file.path, difference: "its \(name) differs")
  }

  /// The state on the devices, whatever mesh it was written from.
  func state(
    _ types: Named<TensorType>, shardings: Named<Sharding>, on engine: Engine
  ) throws -> Named<ShardedArray> {
    try file.arrays(types, shardings: shardings, on: engine)
  }

  /// Writes a checkpoint, atomically: in one file, or on a mesh in one for each device.
  static func write(
    _ state: Named<ShardedArray>, step: Int, recipe: TrainingRecipe, batches: String,
    to path: String, on engine: Engine
  ) throws {
    let json = try JSONFile.text(recipe)
    let metadata = [stepKey: "\(step)", batchesKey: batches, recipeKey: json]
    if let mesh = engine.mesh {
      try WeightFiles.write(
        parts: state, metadata: metadata, to: path, stamp: "step-\(step)", mesh: mesh,
        by: engine.writers)
    } else {
      try WeightFiles.write(state.types, metadata: metadata, to: path) {
        try state[$0]!.bytes()
      }
    }
  }
}
