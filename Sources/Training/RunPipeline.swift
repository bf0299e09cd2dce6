import Models
import Pipelines
import Runtime
import Tensors

extension TrainingRecipe {
  /// The text-to-image model with the transformer that the run trains.
  ///
  /// - Parameters:
  ///   - weights: the run's weights for generation, with LoRA merged; nil for a model that only encodes.
  ///   - change: changes the options of the pipeline.
  /// - Throws: `TrainingError.noEncoders`, and the errors of opening a model.
  package func pipeline(
    with weights: Component?, on engine: Engine,
    _ change: (inout ImagePipeline.Options) -> Void = { _ in }
  ) throws -> ImagePipeline {
    guard let network = model.architecture as? any PublishedTransformer else {
      preconditionFailure("a \(model.kind) is no transformer of a text-to-image model")
    }
    let folder = try encodersFolder()
    var options = ImagePipeline.Options()
    options.compute = precision
    change(&options)
    let isAnyStep = objective.settings.teachesAnyStep
    let transformer =
      weights.map {
        TransformerComponent.live(
          network, $0, sampling: isAnyStep ? sampling : nil, guidance: guidance > 0 ? guidance : nil
        )
      } ?? .untrained(network, in: folder.path)
    return try ImagePipeline(folder, transformer: transformer, options, on: engine)
  }
}
