import Foundation

/// A filter for resizing, by which a pixel is the weighted mean of the pixels around its place; for
/// smaller images the filter is as much wider, which avoids aliasing.
public enum ResamplingFilter: String, Sendable, Hashable, CaseIterable {
  /// The mean of the pixels that a new one covers.
  case box
  /// A triangle of ±1 pixels.
  case bilinear
  /// A cosine lobe of ±1 pixels with Hamming's window.
  case hamming
  /// Cubic convolution of ±2 pixels with a = −1/2: Keys, 1981.
  case bicubic
  /// A sinc of ±3 pixels with Lanczos' window: Duchon, 1979.
  case lanczos

  /// The filters by Pillow's numbers for them.
  public static let pillow: [Int: ResamplingFilter] = [
    1: .lanczos, 2: .bilinear, 3: .bicubic, 4: .box, 5: .hamming,
  ]

  /// The distance beyond which the filter is 0.
  var support: Double {
    switch self {
    case .box: 0.5
    case .bilinear, .hamming: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// The weight at a distance in pixels.
  func callAsFunction(_ x: Double) -> Double {
    let distance = abs(x)
    switch self {
    case .box: return x > -0.5 && x <= 0.5 ? 1 : 0
    case .bilinear: return distance < 1 ? 1 - distance : 0
    case .hamming:
      guard distance > 0 else { return 1 }
      let angle = distance * .pi
      // In f32, as in Pillow.
      let (a, b) = (Double(Float(0.54)), Double(Float(0.46)))
      return distance < 1 ? sin(angle) / angle * (a + b * cos(angle)) : 0
    case .bicubic:
      let a = -0.5
      if distance < 1 { return ((a + 2) * distance - (a + 3)) * distance * distance + 1 }
      return distance < 2 ? (((distance - 5) * distance + 8) * distance - 4) * a : 0
    case .lanczos: return x >= -3 && x < 3 ? Self.sinc(x) * Self.sinc(x / 3) : 0
    }
  }

  private static func sinc(_ x: Double) -> Double {
    guard x != 0 else { return 1 }
    let angle = x * .pi
    return sin(angle) / angle
  }
}

/// The weights of the old pixels in each new one along an axis, in fixed point as in Pillow.
private struct ResamplingWeights {
  /// The bits behind the point: 8 of a value and 2 for overshoot are left of 32.
  static let bits = 22

  /// The first old pixel of each new one.
  let starts: [Int]
  /// The number of old pixels of each new one.
  let counts: [Int]
  /// The greatest of these numbers.
  let stride: Int
  /// The weights, `stride` for each new pixel.
  let weights: [Int32]

  init(from old: Int, to new: Int, _ filter: ResamplingFilter) {
    let scale = Double(old) / Double(new)
    let widening = max(1, scale)
    let support = filter.support * widening
    stride = Int(support.rounded(.up)) * 2 + 1
    var (starts, counts) = ([Int](), [Int]())
    var weights = [Int32](repeating: 0, count: new * stride)
    for pixel in 0..<new {
      let center = (Double(pixel) + 0.5) * scale
      // Truncated, not rounded down.
      let start = max(0, Int(center - support + 0.5))
      let end = min(old, Int(center + support + 0.5))
      let exact = (0..<end - start).map { i in
        filter((Double(i + start) - center + 0.5) * (1 / widening))
      }
      let sum = exact.reduce(0, +)
      for (i, weight) in exact.enumerated() {
        let share = (sum == 0 ? weight : weight / sum) * Double(1 << Self.bits)
        weights[pixel * stride + i] = Int32(share < 0 ? share - 0.5 : share + 0.5)
      }
      starts.append(start)
      counts.append(end - start)
    }
    (self.starts, self.counts, self.weights) = (starts, counts, weights)
  }

  /// Resizes along an axis of values `[outer, old, inner]`.
  func callAsFunction(_ values: [UInt8], outer: Int, inner: Int) -> [UInt8] {
    let (old, new) = (values.count / (outer * inner), starts.count)
    var sums = [Int32](repeating: 0, count: inner)
    return sums.withUnsafeMutableBufferPointer { sums in
      values.withUnsafeBufferPointer { values in
        [UInt8](unsafeUninitializedCapacity: outer * new * inner) { result, count in
          for row in 0..<outer {
            for pixel in 0..<new {
              sums.update(repeating: 1 << (Self.bits - 1))
              for i in 0..<counts[pixel] {
                let weight = weights[pixel * stride + i]
                let source = (row * old + starts[pixel] + i) * inner
                for channel in 0..<inner {
                  sums[channel] &+= Int32(values[source + channel]) &* weight
                }
              }
              let target = (row * new + pixel) * inner
              for channel in 0..<inner {
                result[target + channel] = UInt8(clamping: sums[channel] >> Self.bits)
              }
            }
          }
          count = outer * new * inner
        }
      }
    }
  }
}

extension RGBImage {
  /// The image in another size, equal in every bit to that of `resize` of Pillow 13.
  ///
  /// Rows and columns are resized one after the other, and the values between are rounded to 8 bits.
  /// Earlier versions of Pillow always resize rows first, so that values may differ by rounding.
  public func resized(width: Int, height: Int, filter: ResamplingFilter) -> RGBImage {
    precondition(width > 0 && height > 0, "an image cannot be resized to \(width) × \(height)")
    // Columns come first where that leaves much less between.
    let startsWithColumns = height < self.height && self.height - height > 2 * (self.width - width)
    return startsWithColumns
      ? columnsResized(to: height, filter).rowsResized(to: width, filter)
      : rowsResized(to: width, filter).columnsResized(to: height, filter)
  }

  private func rowsResized(to width: Int, _ filter: ResamplingFilter) -> RGBImage {
    guard width != self.width else { return self }
    let weights = ResamplingWeights(from: self.width, to: width, filter)
    return RGBImage(
      width: width, height: height, values: weights(values, outer: height, inner: 3))
  }

  private func columnsResized(to height: Int, _ filter: ResamplingFilter) -> RGBImage {
    guard height != self.height else { return self }
    let weights = ResamplingWeights(from: self.height, to: height, filter)
    return RGBImage(
      width: width, height: height, values: weights(values, outer: 1, inner: width * 3))
  }
}
