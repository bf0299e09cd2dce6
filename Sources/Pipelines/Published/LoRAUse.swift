import Models
import Runtime
import Tensors
import Weights

/// A file of LoRA that a network is used with.
public struct LoRAUse: Hashable, Sendable {
  /// The path of the file or folder.
  public var path: String
  /// The factor on its changes.
  public var scale: Double

  /// Makes a use.
  public init(_ path: String, scale: Double = 1) { (self.path, self.scale) = (path, scale) }
}

extension TransformerComponent {
  /// The same network with LoRA; its own weights stay as they are stored.
  ///
  /// - Parameters:
  ///   - dtype: the element type of the factors.
  ///   - sharesBase: whether the network without LoRA is used as well.
  ///   - log: gets a sentence for each file.
  /// - Throws: `WeightsError` for a file that does not fit the network.
  func adding(
    _ loras: [LoRAUse], dtype: DType, sharesBase: Bool = false, on engine: Engine,
    log: (String) -> Void
  ) throws -> TransformerComponent {
    var changed = self
    let model = ModelConfig(config)
    for (number, use) in loras.enumerated() {
      let file = try LoRAFile(path: use.path)
      let fitted = try file.fitted(
        to: model.weights, layouts: model.loraLayouts, network: model.kind)
      let name = "file\(number)"
      let specs = fitted.specs(as: name)
      let types = specs.map { path, spec in
        spec.type(path.hasSuffix(".scale") ? .float32 : dtype)
      }
      changed.component = .joined(
        changed.component,
        Component(
          path: use.path, files: file.paths, types: types, shardings: specs.shardings
        ) {
          try fitted.load(
            as: name, scale: use.scale, dtype: dtype, on: engine.client, mesh: engine.mesh)
        }, sharesFirst: sharesBase && number == 0)
      if let card = try SamplingCard(file), card.anyStep { changed.sampling = card }
      log(
        "\(use.path) is LoRA in the style of \(file.style.rawValue), of rank \(file.rank) on "
          + "\(file.modules.count) maps, at the scale \(use.scale).")
    }
    return changed
  }
}
