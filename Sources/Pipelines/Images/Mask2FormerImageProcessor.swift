import Foundation
import Models
import Pictures
import Recipe

/// The preprocessing of images for Mask2Former, in the form of `preprocessor_config.json`.
public struct Mask2FormerImageProcessor: Decodable, Hashable, Sendable {
  /// How sides become multiples of what the network halves.
  public enum Convention: Hashable, Sendable {
    /// As transformers with Pillow: the image is stretched.
    case transformers
    /// As mmdetection with OpenCV: gray is added at the right and below.
    case mmdetection
  }

  /// What the shorter side is resized to, unless the longer one becomes too long; with `longest` nil, the
  /// height and the width.
  public var shortest: Int
  /// The longest that the longer side may become; nil where each side is resized to `shortest`.
  public var longest: Int?
  /// What sides become multiples of.
  public var multiple: Int
  /// The filter for resizing, of transformers.
  public var filter: ResamplingFilter
  /// How 8-bit values become numbers.
  public var normalization: PixelNormalization
  /// See `Convention`.
  public var convention = Convention.transformers

  private enum CodingKeys: String, CodingKey {
    case size
    case longest = "max_size"
    case multiple = "size_divisor"
    case filter = "resample"
    case scale = "rescale_factor"
    case mean = "image_mean"
    case deviation = "image_std"
    case resizes = "do_resize"
    case rescales = "do_rescale"
    case normalizes = "do_normalize"
    case padded = "pad_size"
    case kind = "image_processor_type"
    case oldKind = "feature_extractor_type"
  }

  private struct Sides: Decodable {
    let shortest_edge: Int?
    let longest_edge: Int?
    let height: Int?
    let width: Int?
  }

  /// The gray of what mmdetection adds, before it is normalized.
  private static let gray: UInt8 = 128

  /// The preprocessing that mmdetection is published with for Mask2Former on COCO.
  public static let mmdetection: Mask2FormerImageProcessor = {
    var processor = Mask2FormerImageProcessor(
      shortest: 800, longest: 1333, multiple: 32, filter: .bilinear,
      normalization: PixelNormalization(
        scale: 1, mean: [123.675, 116.28, 103.53], deviation: [58.395, 57.12, 57.375]))
    processor.convention = .mmdetection
    return processor
  }()

  init(
    shortest: Int, longest: Int?, multiple: Int, filter: ResamplingFilter,
    normalization: PixelNormalization
  ) {
    (self.shortest, self.longest, self.multiple) = (shortest, longest, multiple)
    (self.filter, self.normalization) = (filter, normalization)
  }

  /// Reads the settings; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    let kinds = ["ImageProcessor", "ImageProcessorFast", "ImageProcessorPil", "FeatureExtractor"]
    for key in [CodingKeys.kind, .oldKind] {
      guard let kind = try keys.decodeIfPresent(String.self, forKey: key) else { continue }
      guard kinds.map({ "Mask2Former\($0)" }).contains(kind) else {
        throw InvalidRecipeValue(key, kind, "only Mask2FormerImageProcessor is supported")
      }
    }
    for key in [CodingKeys.resizes, .rescales, .normalizes] { try keys.expect(key, true) }
    if try keys.contains(.padded) && !keys.decodeNil(forKey: .padded) {
      throw InvalidRecipeValue(CodingKeys.padded, "there", "padding to a size is not supported")
    }
    let maximum = try keys.decodeIfPresent(Int.self, forKey: .longest) ?? 1333
    if let side = try? keys.decode(Int.self, forKey: .size) {
      (shortest, longest) = (side, maximum)
    } else {
      let sides = try keys.decodeIfPresent(Sides.self, forKey: .size)
      if let height = sides?.height {
        guard sides?.width == height else {
          throw InvalidRecipeValue(
            CodingKeys.size, "\(height) × \(sides?.width ?? 0)", "only squares are supported")
        }
        (shortest, longest) = (height, nil)
      } else {
        (shortest, longest) = (sides?.shortest_edge ?? 800, sides?.longest_edge ?? maximum)
      }
    }
    guard (1...1 << 14).contains(shortest), longest.map({ (1...1 << 14).contains($0) }) ?? true
    else {
      throw InvalidRecipeValue(
        CodingKeys.size, "\(shortest) and \(longest ?? shortest)",
        "sides of 1 to 16384 pixels were expected")
    }
    multiple = try keys.value(.multiple, default: 32, in: 0...1024)
    filter = try keys.filter(.filter, default: .bilinear)
    normalization = try keys.normalization(
      scale: .scale, mean: .mean, deviation: .deviation, default: .imageNet)
  }

  /// An image as the network takes it.
  public struct Prepared: Sendable {
    /// The numbers, `[height, width, 3]`.
    public let values: [Float]
    /// The size that the network takes.
    public let size: ImageSize
    /// The part of it from the upper left corner that the image fills.
    public let content: ImageSize
  }

  /// Resizes and normalizes an image.
  public func callAsFunction(_ image: RGBImage) -> Prepared {
    let content = resizedSize(ImageSize(height: image.height, width: image.width))
    func rounded(_ side: Int) -> Int {
      multiple > 0 ? (side + multiple - 1) / multiple * multiple : side
    }
    let size = ImageSize(height: rounded(content.height), width: rounded(content.width))
    switch convention {
    case .transformers:
      let resized = image.resized(width: size.width, height: size.height, filter: filter)
      return Prepared(values: normalization(resized), size: size, content: size)
    case .mmdetection:
      let resized = image.interpolated(width: content.width, height: content.height)
      var values = [UInt8](repeating: Self.gray, count: size.width * size.height * 3)
      for row in 0..<content.height {
        let (from, to) = (row * content.width * 3, row * size.width * 3)
        values.replaceSubrange(
          to..<to + content.width * 3, with: resized.values[from..<from + content.width * 3])
      }
      return Prepared(
        values: normalization(
          RGBImage(width: size.width, height: size.height, values: values)),
        size: size, content: content)
    }
  }

  /// The size that an image is resized to, before sides become multiples.
  func resizedSize(_ size: ImageSize) -> ImageSize {
    guard let longest else { return ImageSize(height: shortest, width: shortest) }
    let (short, long) = (min(size.height, size.width), max(size.height, size.width))
    if convention == .mmdetection {
      let scale = min(
        Double(max(longest, shortest)) / Double(long),
        Double(min(longest, shortest)) / Double(short))
      func scaled(_ side: Int) -> Int { max(1, Int(Double(side) * scale + 0.5)) }
      return ImageSize(height: scaled(size.height), width: scaled(size.width))
    }
    // In the order in which Python computes it, which truncates the longer side.
    var (side, exact) = (shortest, Double(shortest))
    if Double(long) / Double(short) * Double(shortest) > Double(longest) {
      exact = Double(longest) * Double(short) / Double(long)
      side = Int(exact.rounded(.toNearestOrEven))
    }
    guard short != side else { return size }
    return size.width < size.height
      ? ImageSize(height: Int(exact * Double(size.height) / Double(size.width)), width: side)
      : ImageSize(height: side, width: Int(exact * Double(size.width) / Double(size.height)))
  }
}
