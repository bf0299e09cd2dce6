import Layers
import Models
import Runtime
import Tensors

/// Parts of SANA at full width, on random weights, forwards or forwards and backwards.
extension Bench.Work {
  /// SANA 1.6 B with one block, on the 1024 tokens of a picture of 1024 × 1024 and 300 of text.
  func sanaBlock(backwards: Bool, on engine: Engine) throws -> PreparedWork {
    var config = SanaConfig()
    (config.depth, config.execution) = (1, .unrolled)
    let side = config.sampleSize
    let inputs = [
      "latents": Shape([1, side, side, config.channels]), "text": [1, 300, config.textWidth],
      "time": [1],
    ]
    return try evaluation(
      of: Scope.declare { Sana($0, config) }, .float32, inputs, backwards: backwards, on: engine
    ) { scope, inputs in
      Sana(scope, config)(
        inputs["latents"]!, time: inputs["time"]!, target: inputs["time"]!,
        condition: Named([("text", inputs["text"]!)]))
    }
  }

  /// SANA's autoencoder: the decoding of one picture of 256 × 256, or the encoding and decoding of one of
  /// 128 × 128 with the gradient of all weights.
  func deepCompression(backwards: Bool, on engine: Engine) throws -> PreparedWork {
    var config = AutoencoderDCConfig()
    for side in [\AutoencoderDCConfig.encoder, \.decoder] {
      config[keyPath: side].blocks[3...] = [.attention, .attention, .attention]
    }
    (config.downsampling, config.upsampling) = (.convolution, .interpolation)
    let declared = Scope.declare { AutoencoderDC($0, config) }
    guard backwards else {
      return try evaluation(
        of: declared, .float32, ["latents": [1, 8, 8, config.latentChannels]], on: engine
      ) { AutoencoderDC($0, config).decode($1["latents"]!) }
    }
    return try evaluation(
      of: declared, .float32, ["image": [1, 128, 128, 3]], backwards: true, on: engine
    ) { scope, inputs in
      let network = AutoencoderDC(scope, config)
      return network.decode(network.encode(inputs["image"]!).mean)
    }
  }
}
