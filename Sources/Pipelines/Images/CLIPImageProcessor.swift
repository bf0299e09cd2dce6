import Foundation
import Models
import Pictures
import Recipe

/// The preprocessing of images for CLIP, in the form of `preprocessor_config.json`: the shorter side is
/// resized, and the centre is cut out.
public struct CLIPImageProcessor: Decodable, Hashable, Sendable {
  /// Where the centre starts where the pixels around it are odd, and what becomes of transparent pixels.
  public enum Convention: Hashable, Sendable {
    /// As transformers with Pillow: the start is rounded down, and transparent pixels lie over white.
    case transformers
    /// As open_clip with torchvision: the start is rounded, halves to even numbers, and opacity is dropped
    /// after resizing.
    case openCLIP
  }

  /// What the shorter side is resized to, or each side.
  public var side: Int
  /// Whether the image keeps its ratio.
  public var keepsRatio: Bool
  /// The height and width of what is cut out.
  public var crop: Int
  /// The filter for resizing.
  public var filter: ResamplingFilter
  /// How 8-bit values become numbers.
  public var normalization: PixelNormalization
  /// See `Convention`.
  public var convention: Convention

  private enum CodingKeys: String, CodingKey {
    case size, crop = "crop_size"
    case filter = "resample"
    case scale = "rescale_factor"
    case mean = "image_mean"
    case deviation = "image_std"
    case resizes = "do_resize"
    case crops = "do_center_crop"
    case rescales = "do_rescale"
    case normalizes = "do_normalize"
    case kind = "image_processor_type"
    case oldKind = "feature_extractor_type"
  }

  /// Reads the settings; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(
      .kind, "CLIPImageProcessor", "CLIPImageProcessorFast", "CLIPImageProcessorPil",
      "CLIPFeatureExtractor")
    try keys.expect(.oldKind, "CLIPFeatureExtractor")
    for key in [CodingKeys.resizes, .crops, .rescales, .normalizes] { try keys.expect(key, true) }
    let size = try keys.decodeIfPresent(ImageSides.self, forKey: .size) ?? .shortest(224)
    let crop = try keys.decodeIfPresent(ImageSides.self, forKey: .crop) ?? .square(224)
    switch size {
    case .shortest(let side): (self.side, keepsRatio) = (side, true)
    case .square(let side): (self.side, keepsRatio) = (side, false)
    }
    self.crop = crop.side
    filter = try keys.filter(.filter, default: .bicubic)
    normalization = try keys.normalization(
      scale: .scale, mean: .mean, deviation: .deviation, default: .clip)
    convention = .transformers
    guard self.crop <= side else {
      throw InvalidRecipeValue(
        CodingKeys.crop, self.crop, "it may be at most `size`, \(side)")
    }
  }

  /// The preprocessing that open_clip does.
  public init(_ config: OpenCLIPConfig) {
    let size = config.model.vision.size
    (side, crop, keepsRatio) = (size, size, config.images.keepsRatio)
    filter = config.images.interpolation == "bilinear" ? .bilinear : .bicubic
    normalization = PixelNormalization(
      mean: config.images.mean, deviation: config.images.deviation)
    convention = .openCLIP
  }

  /// The numbers of a picture, `[crop, crop, 3]`.
  public func callAsFunction(_ picture: Picture) -> [Float] {
    let size = resizedSize(width: picture.width, height: picture.height)
    let resized: RGBImage
    switch convention {
    case .transformers:
      resized = RGBImage(picture)
        .resized(width: size.width, height: size.height, filter: filter)
    case .openCLIP:
      resized = RGBImage(
        resizing: picture, width: size.width, height: size.height, filter: filter)
    }
    func start(_ side: Int) -> Int {
      let half = Double(side - crop) / 2
      return Int(half.rounded(convention == .transformers ? .down : .toNearestOrEven))
    }
    return normalization(
      resized.cropped(
        x: start(size.width), y: start(size.height), width: crop, height: crop))
  }

  /// The numbers of an image.
  public func callAsFunction(_ image: RGBImage) -> [Float] { self(image.picture) }

  /// The size that an image is resized to.
  func resizedSize(width: Int, height: Int) -> ImageSize {
    guard keepsRatio else { return ImageSize(height: side, width: side) }
    // In the order in which Python computes it, which truncates the longer side.
    let long = Int(Double(side * max(width, height)) / Double(min(width, height)))
    return width <= height
      ? ImageSize(height: long, width: side) : ImageSize(height: side, width: long)
  }
}

/// Sides of an image in a `preprocessor_config.json`: a number in old versions, or keys.
private enum ImageSides: Decodable {
  case shortest(Int)
  case square(Int)

  private enum CodingKeys: String, CodingKey {
    case shortest = "shortest_edge"
    case height, width
  }

  init(from decoder: any Decoder) throws {
    if let side = try? decoder.singleValueContainer().decode(Int.self) {
      guard (1...1 << 16).contains(side) else {
        throw InvalidRecipeValue(side, "sides are from 1 to 65536 pixels")
      }
      self = .shortest(side)
      return
    }
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    if keys.contains(.shortest) {
      self = .shortest(try keys.value(.shortest, in: 1...1 << 16))
      return
    }
    let height = try keys.value(.height, in: 1...1 << 16)
    try keys.expect(.width, height)
    self = .square(height)
  }

  /// The number of pixels.
  var side: Int {
    switch self {
    case .shortest(let side), .square(let side): side
    }
  }
}
