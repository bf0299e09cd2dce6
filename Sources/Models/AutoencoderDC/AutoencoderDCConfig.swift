import Layers
import Recipe
import Tensors
import Weights

/// The configuration of an `AutoencoderDC`, in the form of diffusers' `config.json`.
public struct AutoencoderDCConfig: ImageAutoencoderConfig {
  /// The published name of the class.
  public static let className = "AutoencoderDC"

  /// The blocks of a level.
  public enum Block: String, Codable, Hashable, Sendable, CaseIterable {
    /// Two convolutions.
    case residual = "ResBlock"
    /// Linear attention and a Mix-FFN.
    case attention = "EfficientViTBlock"
  }

  /// The norms of a level.
  public enum Norm: String, Codable, Hashable, Sendable, CaseIterable {
    case rms = "rms_norm"
    case layer = "layer_norm"
    case batch = "batch_norm"
  }

  /// How a level of the encoder halves the resolution.
  public enum Downsampling: String, Codable, Hashable, Sendable, CaseIterable {
    /// By a convolution to a quarter of the channels, whose pixels become channels.
    case pixels = "pixel_unshuffle"
    /// By a convolution with a stride.
    case convolution = "Conv"
  }

  /// How a level of the decoder doubles the resolution.
  public enum Upsampling: String, Codable, Hashable, Sendable, CaseIterable {
    /// By a convolution to four times the channels, which become pixels.
    case pixels = "pixel_shuffle"
    /// By a convolution of repeated pixels.
    case interpolation = "interpolate"
  }

  /// The levels of the encoder or of the decoder, the highest resolution first.
  public struct Side: Hashable, Sendable {
    /// The kind of the blocks.
    public var blocks = [Block](repeating: .residual, count: 6)
    /// The features.
    public var widths = [128, 256, 512, 512, 1024, 1024]
    /// The number of blocks; 0 for a first level that is left out.
    public var layers: [Int]
    /// The kernels of the convolutions before attention.
    public var kernels = [[], [], [], [5], [5], [5]]
    /// The kind of the norms.
    public var norms = [Norm](repeating: .rms, count: 6)
    /// The activations of convolutions.
    public var activations = [Activation](repeating: .silu, count: 6)

    /// The first level that has blocks.
    var firstLevel: Int { layers[0] == 0 ? 1 : 0 }
  }

  /// The channels of images.
  public var channels = 3
  /// The channels of latents.
  public var latentChannels = 32
  /// The features of a head of attention.
  public var headWidth = 32
  /// The levels of the encoder.
  public var encoder = Side(layers: [2, 2, 2, 3, 3, 3])
  /// The levels of the decoder.
  public var decoder = Side(layers: [3, 3, 3, 3, 3, 3])
  /// How the encoder halves the resolution.
  public var downsampling = Downsampling.pixels
  /// How the decoder doubles the resolution.
  public var upsampling = Upsampling.pixels
  /// Whether the encoder's last features are averaged and added to the latent.
  public var hasEncoderShortcut = true
  /// Whether the latent is repeated and added to the decoder's first features.
  public var hasDecoderShortcut = true
  /// The activation before the decoder's last convolution.
  public var outputActivation = Activation.relu
  /// The factor of latents for a diffusion model.
  public var scale = 1.0

  /// Makes diffusers' default sizes.
  public init() {}

  /// The channels of decoded images.
  public var outputChannels: Int { channels }

  /// The downsampling factor from images to latents along each axis.
  public var reduction: Int { 1 << (encoder.widths.count - 1) }

  /// Diffusers' default of 512 pixels, which overlap by 64.
  public var tile: TileSize { TileSize(size: 512, stride: 448, reduction: reduction) }

  /// The network.
  public func network(_ scope: Scope) -> AutoencoderDC { AutoencoderDC(scope, self) }

  /// Scales the autoencoder's latents for a diffusion model.
  public func normalized(_ latents: Tensor) -> Tensor { latents * scale }

  /// Scales a diffusion model's latents back for the autoencoder.
  public func denormalized(_ latents: Tensor) -> Tensor { latents / scale }

  /// The names of the parameters on disk. The maps of the Mix-FFNs are 1 × 1 convolutions there.
  public func names(for arrays: [String]) -> NameMap {
    let sides = [("encoder.down_blocks", encoder, 0), ("decoder.up_blocks", decoder, 1)]
    return NameMap(
      sides.flatMap { path, side, before in
        side.blocks.indices.filter { side.blocks[$0] == .attention }.flatMap { level in
          // Upsampling stands before the blocks of all levels but the last.
          let start = level == side.blocks.count - 1 ? 0 : before
          return (0..<side.layers[level]).flatMap {
            MixFFN.rules("\(path).\(level).\(start + $0).conv_out")
          }
        }
      })
  }

  /// Counts of training batches.
  public func ignores(_ array: String) -> Bool { BatchNorm.ignores(array) }
}
