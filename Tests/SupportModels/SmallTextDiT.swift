import Foundation
import Models
import Pipelines
import Runtime
import Tensors
import TestSupport
import Weights

/// Text-to-image models of a few thousand random weights, for pictures of 16 × 16.
public enum SmallTextDiT {
  /// The sizes of the network.
  ///
  /// - Parameter targets: whether it has the second time embedder, so that it takes one step.
  public static func config(targets: Bool = true, depth: Int = 1) -> TextDiTConfig {
    var config = TextDiTConfig()
    (config.size, config.patch, config.width, config.depth) = (16, 4, 16, depth)
    (config.heads, config.textWidth, config.hasTargetTime) = (2, 12, targets)
    return config
  }

  /// Writes a model.
  ///
  /// - Parameters:
  ///   - path: its folder.
  ///   - encoder: the folder of its text encoder, which is written where it is missing.
  ///   - guidance: the scale of guidance that its weights name.
  ///   - scale: the largest weight.
  ///   - seed: that of the weights.
  /// - Throws: the errors of files and of the plugin.
  public static func write(
    _ path: String, encoder: String, _ config: TextDiTConfig = config(), guidance: Double = 0,
    scale: Double = 0.5, seed: UInt64 = 0
  ) throws {
    if !FileManager.default.fileExists(atPath: encoder) { try BertFolder.write(encoder) }
    let (network, engine) = (ModelConfig(config), try SharedEngine.get())
    var own = seed
    let weights = try network.weights.mapValues { spec in
      own += 1
      let values = Numbers.random(
        spec.shape.sizes, seed: own, in: -scale...scale, .float32
      ).values
      return try engine.array(values.map { Float($0) }, shape: spec.shape.sizes)
    }
    try TransformerFolder("\(path)/transformer").write(
      weights, card: ModelFile.Card(model: network, guidance: guidance), as: .float32,
      stamp: "test", on: engine)
    try ModelFolder(encoders: encoder).writeIndex(of: config, in: path)
  }

  /// Writes LoRA of rank 2 for the queries of the first block.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - width: the features of the network.
  ///   - seed: that of the weights.
  /// - Throws: the errors of files.
  public static func writeLoRA(_ path: String, width: Int = 16, seed: UInt64 = 0) throws {
    let map = "transformer.blocks.0.attn.to_q"
    let types = Named([
      ("\(map).lora_A.weight", TensorType([2, width], .float32)),
      ("\(map).lora_B.weight", TensorType([width, 2], .float32)),
    ])
    try SafeTensors.write(types, to: path) { name in
      let own = seed + (name.contains("lora_A") ? 1 : 2)
      let values = Numbers.random(types[name]!.shape.sizes, seed: own, in: -1...1, .float32).values
      return values.flatMap { value in withUnsafeBytes(of: Float(value)) { Array($0) } }
    }
  }
}
