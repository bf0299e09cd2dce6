import Layers
import Models
import Tensors

extension GoldenCase {
  /// Checks an autoencoder by the class that the case names.
  func checkAutoencoder(on client: Client) throws -> [Comparison] {
    switch config.cls {
    case "AutoencoderKL": return try checkAutoencoderKL(on: client)
    default: throw fail("the class of its network, \(config.cls ?? "null"), is not known")
    }
  }

  /// Encodes `image` and decodes `z`, both with the channels first.
  private func checkAutoencoderKL(on client: Client) throws -> [Comparison] {
    let sizes: AutoencoderKLConfig = try networkConfig()
    var used = Named<HostArray>()
    if expected.names.contains(where: { $0 != "decode_of_z" }) {
      let image = try latents("image", channels: sizes.channels, multiple: 1)
      guard image.shape[2] >= sizes.reduction, image.shape[3] >= sizes.reduction else {
        throw fail(
          "its input image is \(image.shape), and the network makes it smaller by \(sizes.reduction)"
        )
      }
      used["image"] = image
    }
    if expected["decode_of_z"] != nil {
      used["z"] = try latents("z", channels: sizes.latentChannels, multiple: 1)
    }
    return try compare(
      Scope.declare { AutoencoderKL($0, sizes) }, names: sizes.names, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { AutoencoderKL($0, sizes) }
      var results = Named<Tensor>()
      if let image = inputs["image"] {
        let posterior = network.encode(image.channelsLast)
        results["mean"] = posterior.mean.channelsFirst
        results["mode"] = posterior.mean.channelsFirst
        results["logvar"] = posterior.logVariance.channelsFirst
        results["decode_of_mode"] = network.decode(posterior.mean).channelsFirst
      }
      if let latents = inputs["z"] {
        results["decode_of_z"] = network.decode(latents.channelsLast).channelsFirst
      }
      return results
    }
  }
}
