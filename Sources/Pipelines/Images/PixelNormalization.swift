import Pictures
import Recipe

/// How a `preprocessor_config.json` turns 8-bit values into numbers of about unit variance.
public struct PixelNormalization: Hashable, Sendable {
  /// The factor that brings 8-bit values to 0…1.
  public var scale: Double
  /// The mean of each channel after that.
  public var mean: [Double]
  /// The standard deviation of each channel.
  public var deviation: [Double]

  /// Makes a normalization of three channels.
  public init(scale: Double = 1.0 / 255, mean: [Double], deviation: [Double]) {
    (self.scale, self.mean, self.deviation) = (scale, mean, deviation)
  }

  /// That of CLIP.
  public static let clip = PixelNormalization(
    mean: [0.48145466, 0.4578275, 0.40821073], deviation: [0.26862954, 0.26130258, 0.27577711])

  /// That of networks trained on ImageNet.
  public static let imageNet = PixelNormalization(
    mean: [0.485, 0.456, 0.406], deviation: [0.229, 0.224, 0.225])

  /// The number of each 8-bit value, channel by channel, in the published order and precision.
  var levels: [[Float]] {
    zip(mean, deviation).map { mean, deviation in
      (0...255).map { (Float(Double($0) * scale) - Float(mean)) / Float(deviation) }
    }
  }

  /// The numbers of an image, `[height, width, 3]`.
  public func callAsFunction(_ image: RGBImage) -> [Float] {
    let levels = levels
    return [Float](unsafeUninitializedCapacity: image.values.count) { numbers, count in
      for (place, value) in image.values.enumerated() {
        numbers[place] = levels[place % 3][Int(value)]
      }
      count = image.values.count
    }
  }
}

extension KeyedDecodingContainer {
  /// A filter by Pillow's number.
  ///
  /// - Throws: an error that names the key for a number of no filter.
  func filter(_ key: Key, default standard: ResamplingFilter) throws -> ResamplingFilter {
    guard let number = try decodeIfPresent(Int.self, forKey: key) else { return standard }
    guard let filter = ResamplingFilter.pillow[number] else {
      throw InvalidRecipeValue(
        key, number, "only Pillow's filters \(ResamplingFilter.pillow.keys.sorted()) are supported")
    }
    return filter
  }

  /// A normalization of three channels.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  func normalization(
    scale: Key, mean: Key, deviation: Key, default standard: PixelNormalization
  ) throws -> PixelNormalization {
    PixelNormalization(
      scale: try value(scale, default: standard.scale),
      mean: try value(
        mean, default: standard.mean, where: { $0.count == 3 }, "three numbers were expected"),
      deviation: try value(
        deviation, default: standard.deviation,
        where: { $0.count == 3 && $0.allSatisfy { $0 > 0 } }, "three numbers above 0 were expected"
      ))
  }
}
