import Pipelines

/// The files of a run that generation reads, in the folder of the run and in those of its checkpoints.
struct ResultFiles {
  /// The folder that they are in.
  let folder: String

  /// All weights of a network of this program.
  var weights: String { folder + "/weights.safetensors" }
  /// LoRA alone.
  var adapter: String { folder + "/adapter.safetensors" }
  /// The embedder of target times of a published network that has LoRA otherwise.
  var targetEmbedder: String { folder + "/target_embedder.safetensors" }
  /// The folder of a published network's weights.
  var transformer: String { folder + "/transformer" }

  /// All of them.
  var all: [String] { [weights, adapter, targetEmbedder, transformer] }

  /// The files that are written, without the folder's other files.
  var outputs: [String] {
    [weights, adapter, targetEmbedder, TransformerFolder(transformer).weights]
  }

  /// What holds the result of a recipe: the weights, only LoRA, or for published networks the folder of
  /// the weights.
  func result(of recipe: TrainingRecipe) -> String {
    if recipe.lora != nil { return adapter }
    return recipe.model.isPublished ? transformer : weights
  }
}
