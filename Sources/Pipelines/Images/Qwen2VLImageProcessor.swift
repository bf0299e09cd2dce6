import Foundation
import Models
import Pictures
import Recipe
import Tensors

/// The preprocessing of images for the vision towers of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, in the form of
/// `preprocessor_config.json`: Wang and others, "Qwen2-VL", 2024.
///
/// Images keep nearly their aspect ratio and resolution: their sides become multiples of a merged patch,
/// and their pixels a number within limits. The pixels are those of transformers with Pillow; its default
/// of torchvision differs by up to a few gray levels.
public struct Qwen2VLImageProcessor: Decodable, Hashable, Sendable {
  /// The least and the greatest number of pixels after resizing.
  public var pixels: ClosedRange<Int>
  /// The height and width of a patch in pixels.
  public var patch: Int
  /// The equal frames of a patch.
  public var frames: Int
  /// The height and width of a merged patch in patches.
  public var merge: Int
  /// The filter for resizing.
  public var filter: ResamplingFilter
  /// How 8-bit values become numbers.
  public var normalization: PixelNormalization

  private enum CodingKeys: String, CodingKey {
    case size
    case least = "min_pixels"
    case greatest = "max_pixels"
    case patch = "patch_size"
    case frames = "temporal_patch_size"
    case merge = "merge_size"
    case filter = "resample"
    case scale = "rescale_factor"
    case mean = "image_mean"
    case deviation = "image_std"
    case resizes = "do_resize"
    case rescales = "do_rescale"
    case normalizes = "do_normalize"
    case kind = "image_processor_type"
  }

  private struct Size: Decodable {
    let shortest_edge: Int
    let longest_edge: Int
  }

  /// Reads the settings; those that are absent are those of the published class.
  ///
  /// - Throws: an error that names the key whose value cannot be, or is not supported.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    try keys.expect(
      .kind, "Qwen2VLImageProcessor", "Qwen2VLImageProcessorFast", "Qwen2VLImageProcessorPil",
      "Qwen2_5_VLImageProcessor")
    for key in [CodingKeys.resizes, .rescales, .normalizes] { try keys.expect(key, true) }
    let size = try keys.decodeIfPresent(Size.self, forKey: .size)
    let least =
      try keys.decodeIfPresent(Int.self, forKey: .least) ?? size?.shortest_edge ?? 56 * 56
    let greatest =
      try keys.decodeIfPresent(Int.self, forKey: .greatest) ?? size?.longest_edge
      ?? 28 * 28 * 1280
    guard least > 0, least <= greatest, greatest <= 1 << 30 else {
      throw InvalidRecipeValue(
        CodingKeys.greatest, greatest,
        "it must be at least `min_pixels`, \(least), which must be above 0")
    }
    pixels = least...greatest
    patch = try keys.value(.patch, default: 14, in: 1...256)
    frames = try keys.value(.frames, default: 2, in: 1...256)
    merge = try keys.value(.merge, default: 2, in: 1...256)
    filter = try keys.filter(.filter, default: .bicubic)
    normalization = try keys.normalization(
      scale: .scale, mean: .mean, deviation: .deviation, default: .clip)
  }

  /// The patches of images as the vision tower takes them.
  public struct Patches: Sendable {
    /// The patches of all images, f32 `[patches, 3 · frames · patch²]`, in the order that
    /// `VisionTowerNetwork` takes.
    public let values: HostArray
    /// The sizes of the images in patches.
    public let grids: [TokenGrid]
  }

  /// Resizes and normalizes images, and cuts them into patches.
  ///
  /// - Throws: `PipelineError.tooNarrow`.
  public func callAsFunction(_ images: [RGBImage]) throws(PipelineError) -> Patches {
    var (values, grids) = ([Float](), [TokenGrid]())
    for image in images {
      let size = try size(of: image)
      let resized = image.resized(width: size.width, height: size.height, filter: filter)
      append(resized, to: &values)
      grids.append(TokenGrid(height: size.height / patch, width: size.width / patch))
    }
    let count = grids.reduce(0) { $0 + $1.count }
    return Patches(
      values: HostArray(values, shape: [count, 3 * frames * patch * patch]), grids: grids)
  }

  /// The size of an image after resizing, the published `smart_resize`.
  ///
  /// - Throws: `PipelineError.tooNarrow` for sides of a ratio above 200.
  public func size(of image: RGBImage) throws(PipelineError) -> ImageSize {
    let (height, width, side) = (image.height, image.width, Double(patch * merge))
    guard max(height, width) <= 200 * min(height, width) else {
      throw .tooNarrow(width: width, height: height, limit: 200)
    }
    func sizes(_ side: (Double) -> Double) -> (height: Double, width: Double) {
      (side(Double(height)), side(Double(width)))
    }
    var size = sizes { ($0 / side).rounded(.toNearestOrEven) * side }
    let area = Double(height * width)
    if size.height * size.width > Double(pixels.upperBound) {
      let ratio = (area / Double(pixels.upperBound)).squareRoot()
      size = sizes { max(side, ($0 / ratio / side).rounded(.down) * side) }
    } else if size.height * size.width < Double(pixels.lowerBound) {
      let ratio = (Double(pixels.lowerBound) / area).squareRoot()
      size = sizes { ($0 * ratio / side).rounded(.up) * side }
    }
    return ImageSize(height: Int(size.height), width: Int(size.width))
  }

  /// Appends the normalized patches of a resized image: by squares of `merge`² patches in reading order.
  private func append(_ image: RGBImage, to values: inout [Float]) {
    let levels = normalization.levels
    let side = patch * merge
    for top in stride(from: 0, to: image.height, by: side) {
      for left in stride(from: 0, to: image.width, by: side) {
        for place in 0..<merge * merge {
          let (row, column) = (top + place / merge * patch, left + place % merge * patch)
          for channel in 0..<3 {
            for _ in 0..<frames {
              for y in row..<row + patch {
                for x in column..<column + patch {
                  let level = image.values[(y * image.width + x) * 3 + channel]
                  values.append(levels[channel][Int(level)])
                }
              }
            }
          }
        }
      }
    }
  }
}
