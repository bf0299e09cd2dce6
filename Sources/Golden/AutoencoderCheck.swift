import Layers
import Models
import Tensors

extension GoldenCase {
  /// Checks an autoencoder by the class that the case names.
  func checkAutoencoder(on client: Client) throws -> [Comparison] {
    switch config.cls {
    case AutoencoderKLConfig.className:
      return try check(networkConfig(AutoencoderKLConfig.self), on: client) { network, _, latents in
        ["decode_of_z": network.decode(latents)]
      }
    case AutoencoderKLQwenImageConfig.className:
      return try check(networkConfig(AutoencoderKLQwenImageConfig.self), on: client) {
        network, sizes, latents in
        [
          "decode_of_z": network.decode(sizes.denormalized(latents)),
          "decode_raw_z": network.decode(latents),
        ]
      }
    case AutoencoderDCConfig.className:
      let sizes: AutoencoderDCConfig = try networkConfig()
      return try check(sizes, multiple: sizes.reduction, on: client) { network, _, latents in
        ["decode_of_z": network.decode(latents)]
      }
    default: throw fail("the class of its network, \(config.cls ?? "null"), is not known")
    }
  }

  /// Encodes `image` and decodes `z`, both with the channels first.
  ///
  /// - Parameters:
  ///   - multiple: the number that must divide height and width of images.
  ///   - decoded: the outputs that depend on `z`, from the network, its config and `z`.
  private func check<Config: ImageAutoencoderConfig>(
    _ sizes: Config, multiple: Int = 1, on client: Client,
    decoded: (Config.Network, Config, Tensor) -> [String: Tensor]
  ) throws -> [Comparison] {
    var used = Named<HostArray>()
    if expected.names.contains(where: { !Self.outputsOfLatents.contains($0) }) {
      let image = try latents("image", channels: sizes.channels, multiple: multiple)
      guard image.shape[2] >= sizes.reduction, image.shape[3] >= sizes.reduction else {
        throw fail(
          "its input image is \(image.shape), and the network makes it smaller by \(sizes.reduction)"
        )
      }
      used["image"] = image
    }
    if expected.names.contains(where: Self.outputsOfLatents.contains) {
      used["z"] = try latents("z", channels: sizes.latentChannels, multiple: 1)
    }
    return try compare(
      Scope.declare { sizes.network($0) }, names: sizes.names(for:),
      ignoring: sizes.ignores, inputs: used, on: client
    ) { weights, inputs in
      let network = Scope.bind(weights) { sizes.network($0) }
      var results: [String: Tensor] = [:]
      if let image = inputs["image"] {
        let posterior = network.encode(image.channelsLast)
        for name in ["mean", "mode", "latent"] { results[name] = posterior.mean }
        results["logvar"] = posterior.logVariance
        results["latents_normalized"] = sizes.normalized(posterior.mean)
        for name in ["decode_of_mode", "decode_of_latent"] {
          results[name] = network.decode(posterior.mean)
        }
      }
      if let latents = inputs["z"] {
        results.merge(decoded(network, sizes, latents.channelsLast)) { $1 }
      }
      return Named(
        results.sorted { $0.key < $1.key }.map { ($0.key, $0.value.channelsFirst) })
    }
  }

  /// The outputs that depend on `z` alone.
  private static let outputsOfLatents: Set = ["decode_of_z", "decode_raw_z"]
}
