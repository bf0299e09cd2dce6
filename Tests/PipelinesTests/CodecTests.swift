import Layers
import Models
import Tensors
import TestSupport
import Testing

@testable import Pipelines

@Suite struct CodecTests {
  @Test func pixelsAreTheirOwnLatents() throws {
    let codec = Pixels(channels: 3)
    #expect(codec.latent(of: ImageSize(height: 4, width: 6)) == [4, 6, 3])
    let images = Numbers.random([2, 4, 6, 3], .float32)
    let results = try evaluate([images]) { inputs in
      [
        codec.encode(inputs[0], key: Key(seed: 1)), codec.encode(inputs[0]),
        codec.decode(inputs[0]),
      ]
    }
    for result in results { expectClose(result, images) }
  }

  @Test("Latents of an autoencoder are scaled, and drawn from their distribution")
  func autoencoder() throws {
    var config = AutoencoderKLConfig()
    (config.widths, config.groups, config.latentChannels) = ([8, 8], 4, 2)
    (config.scale, config.shift) = (1.5, 0.25)
    let declared = Scope.declare { AutoencoderKL($0, config) }
    let images = Numbers.random([2, 8, 4, 3], .float32)
    var size: Shape?
    let results = try evaluate([images]) { inputs in
      let weights = declared.initialized(Key(seed: 2))
      let network = Scope.bind(weights) { AutoencoderKL($0, config) }
      let codec = AutoencoderCodec(Scope(weights), config)
      size = codec.latent(of: ImageSize(height: 8, width: 4))
      let posterior = network.encode(inputs[0])
      let latents = codec.encode(inputs[0], key: Key(seed: 3))
      let noise = Key(seed: 3).normal(posterior.mean.shape)
      return [
        latents, (posterior.latents(noise: noise) - 0.25) * 1.5, codec.decode(latents),
        network.decode(latents / 1.5 + 0.25), codec.encode(inputs[0]),
        (posterior.mean - 0.25) * 1.5,
      ]
    }
    #expect(size.map { [2] + $0.sizes } == results[0].shape)
    expectClose(results[0].values, results[1].values, relative: 1e-5, absolute: 1e-5)
    #expect(results[2].shape == images.shape)
    expectClose(results[2].values, results[3].values, relative: 1e-4, absolute: 1e-4)
    expectClose(results[4].values, results[5].values, relative: 1e-5, absolute: 1e-5)
  }
}
