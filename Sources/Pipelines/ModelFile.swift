import Files
import Flow
import Foundation
import Layers
import Models
import Recipe
import Runtime
import Tensors
import Weights

/// A trained model in a safetensors file, whose metadata describe the network and its training in
/// JSON under `twinflow`.
public struct ModelFile: Sendable {
  /// The path of the file.
  public let path: String
  /// All files that it consists of.
  public let paths: [String]
  /// The description in the file.
  public let card: Card
  /// The weights, which stay on the devices until the component releases them.
  public let component: Component

  /// The weights on the devices, in the element types that they are stored in.
  public var weights: Named<ShardedArray> { get throws { try component.load() } }

  /// The network.
  public var model: ModelConfig { card.model }

  static let key = "twinflow"

  /// Describes weights that are on the devices.
  package init(path: String, card: Card, component: Component) {
    (self.path, self.card, self.component) = (path, card, component)
    paths = []
  }

  /// Reads a file and checks every weight against the network's parameters. LoRA is merged into the
  /// base weights that the file names.
  ///
  /// - Parameter allowsOverflow: whether numbers beyond f32's range become infinite.
  /// - Throws: `WeightsError` for a damaged file or weights that do not match,
  ///   `PipelineError.noModel` for a file of another program, `unreadableCard` for an invalid
  ///   description, `otherBase` for LoRA whose base has changed, `publishedLoRA` for that of a published
  ///   network.
  public init(_ path: String, on engine: Engine, allowsOverflow: Bool = false) throws {
    let header = try ModelHeader(path)
    self.path = path
    guard let lora = header.card.lora else {
      card = header.card
      paths = header.file.paths
      // Nothing is computed in f64, so weights are not kept in it.
      let stored = try header.storedTypes()
      component = try Component(path: path, files: paths) {
        try header.weights(on: engine, allowsOverflow: allowsOverflow) {
          stored[$0] == .float64 ? .float32 : nil
        }
      }
      return
    }
    guard !header.card.model.isPublished else { throw PipelineError.publishedLoRA(path: path) }
    let base = try header.base(lora)
    paths = header.file.paths + base.file.paths
    var card = header.card
    card.lora = nil
    self.card = card
    let model = card.model
    component = try Component(path: path, files: paths) {
      let own = try header.weights(on: engine) { _ in .float32 }
      // The base has the element types of training.
      let specs = model.weights
      var all = try base.weights(on: engine) { name in
        lora.baseDType?.storage(of: specs[name]!) ?? .float32
      }
      all.merge(own)
      let merged = try engine.compile(all.types, shardings: all.shardings) {
        lora.lora.merged($0.dequantized().mapValues { $0.cast(to: .float32) })
      }(all)
      return model.weights.map { name, _ in merged[name]! }
    }
  }

  /// Writes a network's weights, atomically: in one file, or by several processes in parts. LoRA is
  /// written with its scale multiplied into B, as programs that do not read alpha need it.
  ///
  /// - Parameters:
  ///   - dtype: how floats are stored; s8 quantizes the matrices of linear maps and leaves all else as
  ///     it is.
  ///   - largest: the bytes of data in a file, beyond which there are several with an index. Several
  ///     processes always write one part each.
  ///   - stamp: tells parts from those of an earlier time.
  ///   - sampling: how the network with LoRA is sampled, for the file's metadata, see
  ///     `LoRAFile.sampling`.
  ///   - inputs: files that must not be replaced.
  ///   - allowsOverflow: whether numbers beyond the type's range become infinite.
  /// - Throws: `FileError.unwritable` and `replacesInput`, `PipelineError.beyondRange`; a file that was
  ///   there stays.
  public static func write(
    _ weights: Named<ShardedArray>, card: Card, to path: String, as dtype: DType = .float32,
    largest: Int = 5 << 30, stamp: String = "whole", sampling: String? = nil,
    protecting inputs: [String] = [], allowsOverflow: Bool = false, on engine: Engine
  ) throws {
    var (weights, card) = (weights, card)
    if let lora = card.lora?.lora, lora.alpha != Double(lora.rank) {
      weights = try engine.compile(weights.types, shardings: weights.shardings) {
        lora.withUnitScale($0)
      }(weights)
      card.lora?.lora.alpha = Double(lora.rank)
    }
    let stored = try engine.stored(
      weights, of: card.model, as: dtype, path: path, allowsOverflow: allowsOverflow)
    let names = card.lora == nil ? card.model.names : card.model.loraNames
    var metadata = [key: try JSONFile.text(card)]
    if let lora = card.lora?.lora {
      metadata.merge(
        try LoRAFile.metadata(of: lora, factors: weights.types, names: names, sampling: sampling)
      ) { own, _ in own }
    }
    if let mesh = engine.mesh, engine.group != nil {
      try WeightFiles.write(
        parts: stored, metadata: metadata, to: path, stamp: stamp, mesh: mesh,
        by: engine.writers, protecting: inputs)
      return
    }
    try WeightFiles.write(
      parameters: stored, names: names, metadata: metadata, to: path, largest: largest,
      protecting: inputs)
  }
}
