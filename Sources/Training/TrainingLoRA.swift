import Files
import Layers
import Models
import Pipelines
import Runtime
import Tensors
import Weights

/// LoRA that is bound to all networks of a step while they are trained, and is no part of what is saved.
///
/// It makes a model that is distilled already behave like one that is not, so that what is trained beside
/// it does not undo the distillation: without it, the trained weights work in a few steps again. ostris
/// publishes such "training adapters" for Z-Image-Turbo and FLUX.1 schnell.
struct TrainingLoRA {
  private let file: LoRAFile
  private let fitted: FittedLoRA
  private static let name = "training"

  /// Opens the file of a recipe; nil where the recipe has none.
  ///
  /// - Parameter isPlan: whether the file may be missing.
  /// - Throws: the errors of files of LoRA and of those that do not fit the network.
  init?(_ recipe: TrainingRecipe, isPlan: Bool = false) throws {
    guard let path = recipe.trainingLoRA else { return nil }
    if isPlan, !WeightFiles.exist(at: path) { return nil }
    file = try LoRAFile(path: path)
    fitted = try file.fitted(
      to: recipe.model.weights, layouts: recipe.model.loraLayouts, network: recipe.model.kind)
  }

  /// The tensors that are bound, in f32.
  var specs: Named<ArraySpec> {
    fitted.specs(as: Self.name).mapValues { ArraySpec($0.type(), $0.sharding) }
  }

  /// The hash of the file's content.
  func hash() throws -> String { try HashCache().hash(ofAll: file.paths) }

  /// Reads the tensors.
  func load(on engine: Engine) throws -> Named<ShardedArray> {
    try fitted.load(as: Self.name, dtype: .float32, on: engine.client, mesh: engine.mesh)
  }

  /// What is said to the user.
  func notice(_ path: String) -> String {
    "\(path) is on in training on \(file.modules.count) maps, and is not saved."
  }
}
