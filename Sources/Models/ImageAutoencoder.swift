import Layers
import Tensors
import Weights

/// An autoencoder of images that is bound to weights.
public protocol ImageAutoencoder {
  /// Images `[batch, height, width, channels]`, from −1 to 1, to the posteriors of their latents
  /// `[batch, height / reduction, width / reduction, latent channels]`.
  func encode(_ images: Tensor) -> Posterior

  /// Latents `[batch, height, width, latent channels]` to what the decoder returns, images `[batch, height ·
  /// reduction, width · reduction, channels]` from about −1 to 1.
  func reconstruct(_ latents: Tensor) -> Tensor

  /// Latents to images: the reconstruction, clamped where the published decoder clamps it.
  func decode(_ latents: Tensor) -> Tensor
}

extension ImageAutoencoder {
  /// The reconstruction as it is.
  public func decode(_ latents: Tensor) -> Tensor { reconstruct(latents) }
}

/// The distribution of an image's latents: normal, independent in each element.
public struct Posterior {
  /// The mean, which is also the mode.
  public let mean: Tensor
  /// The logarithm of the variance, from −30 to 20; nil for latents that are the mean exactly.
  public let logVariance: Tensor?

  /// Makes the distribution of latents that are not random.
  init(exactly latents: Tensor) { (mean, logVariance) = (latents, nil) }

  /// Makes the distribution of an encoder's moments, mean and log-variance one after the other:
  /// `[batch, height, width, 2 · latent channels]`.
  public init(moments: Tensor) {
    let parts = moments.split(2, axis: moments.rank - 1)
    mean = parts[0]
    logVariance = parts[1].clamped(-30...20)
  }

  /// A sample, from standard normal noise of the latents' shape.
  public func latents(noise: Tensor) -> Tensor {
    logVariance.map { mean + ($0 * 0.5).exp() * noise } ?? mean
  }
}

/// The configuration of an autoencoder of images, in the form of diffusers' `config.json`.
///
/// A new autoencoder is a folder of its own and one line in `ImageAutoencoders.all`.
public protocol ImageAutoencoderConfig: Codable, Hashable, Sendable {
  /// The network that is bound to weights.
  associatedtype Network: ImageAutoencoder

  /// The published name of the class, `_class_name` in `config.json`.
  static var className: String { get }

  /// The channels of encoded images.
  var channels: Int { get }
  /// The channels of decoded images.
  var outputChannels: Int { get }
  /// The channels of latents.
  var latentChannels: Int { get }
  /// The downsampling factor from images to latents along each axis.
  var reduction: Int { get }
  /// The published tiles for images that do not fit into memory.
  var tile: TileSize { get }

  /// The network, which binds or declares the weights of a scope.
  func network(_ scope: Scope) -> Network

  /// The names of parameters in files that hold arrays of these names.
  func names(for arrays: [String]) -> NameMap

  /// Whether an array in a file does not belong to the network.
  func ignores(_ array: String) -> Bool

  /// Scales the autoencoder's latents `[batch, height, width, channels]` for a diffusion model.
  func normalized(_ latents: Tensor) -> Tensor

  /// Scales a diffusion model's latents back for the autoencoder.
  func denormalized(_ latents: Tensor) -> Tensor
}

extension ImageAutoencoderConfig {
  /// By default every array belongs to the network.
  public func ignores(_ array: String) -> Bool { false }
}

/// Square tiles of images, each of which overlaps the one before it.
public struct TileSize: Hashable, Sendable {
  /// The height and width in pixels.
  public let size: Int
  /// The pixels from the start of a tile to that of the next.
  public let stride: Int

  /// Makes tiles that overlap by a quarter, as diffusers has them.
  ///
  /// - Parameters:
  ///   - size: the height and width in pixels; it is rounded down so that tiles and overlaps are of whole
  ///     latents, but is four latents at least.
  ///   - reduction: the pixels of a latent along each axis.
  public init(_ size: Int, reduction: Int) {
    let quarter = max(1, size / (4 * reduction)) * reduction
    (self.size, stride) = (4 * quarter, 3 * quarter)
  }

  /// Makes tiles of a size and a stride in pixels; both are rounded down to whole latents, of which there
  /// is one at least.
  public init(size: Int, stride: Int, reduction: Int) {
    func whole(_ pixels: Int) -> Int { max(1, pixels / reduction) * reduction }
    (self.size, self.stride) = (whole(size), whole(stride))
  }
}

extension Tensor {
  /// Numbers for each channel, as a constant.
  static func perChannel(_ values: [Double], _ dtype: DType) -> Tensor {
    Tensor.constant(values.map { Float($0) }, shape: [values.count]).cast(to: dtype)
  }
}
