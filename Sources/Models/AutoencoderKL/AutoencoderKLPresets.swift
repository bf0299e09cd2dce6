/// The sizes of published autoencoders, for weights in files without a `config.json`.
extension AutoencoderKLConfig {
  /// The autoencoder of FLUX.1 and Z-Image: Black Forest Labs, 2024.
  public static let flux: AutoencoderKLConfig = {
    var config = AutoencoderKLConfig()
    (config.widths, config.blocks, config.latentChannels) = ([128, 256, 512, 512], 2, 16)
    (config.hasEncoderConvolution, config.hasDecoderConvolution) = (false, false)
    (config.scale, config.shift, config.sampleSize) = (0.3611, 0.1159, 1024)
    return config
  }()

  /// The autoencoder of Stable Diffusion 3 and 3.5: Esser and others, 2024.
  public static let stableDiffusion3: AutoencoderKLConfig = {
    var config = flux
    (config.scale, config.shift) = (1.5305, 0.0609)
    return config
  }()
}
