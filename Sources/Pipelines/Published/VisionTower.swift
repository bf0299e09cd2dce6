import Layers
import Models
import Runtime
import Tensors
import Weights

/// The vision tower of a text encoder, which embeds images for its prompts.
package struct VisionTower: Sendable {
  /// Its weights.
  package let component: Component
  /// Its sizes.
  let config: any VisionTowerConfig

  /// Opens the tower of an encoder in a folder.
  ///
  /// - Throws: `PipelineError.unfitComponents` for an encoder without a tower, and the errors of weights.
  init(
    _ encoder: any VisionLanguageConfig, _ folder: String, _ storage: BaseDType, on engine: Engine
  ) throws {
    guard let config = encoder.tower else {
      throw PipelineError.unfitComponents(
        path: folder, reason: "images are to be edited, and its config.json has no `vision_config`")
    }
    self.config = config
    let files = try WeightFiles(path: folder)
    let names = config.names(in: files.types.names)
    component = try Component(
      Scope.declare { config.network($0) }, in: files, names: names,
      ignoring: { config.ignores($0, named: names) }, storage: storage, on: engine)
  }

  /// The program that embeds images of given sizes, to the arrays of `features`.
  func program(_ grids: [TokenGrid], _ dtype: DType, on engine: Engine) throws -> CompiledFunction {
    var arguments = component.types.prefixed("weights")
    let count = grids.reduce(0) { $0 + $1.count }
    arguments["patches"] = TensorType([count, config.patchValues], .float32)
    return try engine.compile(
      arguments, shardings: component.shardings.prefixed("weights")
    ) { [config] arguments in
      let tower = Scope.bind(arguments.group("weights")) { config.network($0) }
      let features = tower.features(arguments["patches"]!, grids: grids, in: dtype)
      return Named([("images", features.embeddings)])
        .merging(Named(features.deep.enumerated().map { ("deep.\($0)", $1) }))
    }
  }

  /// The features of images among the arrays of a program, nil without images.
  static func features(in arrays: Named<Tensor>) -> VisionFeatures? {
    arrays["images"].map { VisionFeatures(embeddings: $0, deep: arrays.group("deep").values) }
  }

  /// The number of image tokens of all images.
  func tokenCount(_ grids: [TokenGrid]) -> Int {
    grids.reduce(0) { $0 + $1.count } / (config.merge * config.merge)
  }
}
