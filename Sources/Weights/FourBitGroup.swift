import Layers

/// A group of 32 numbers that is quantized in 4 bits.
///
/// Of several scales, which take the number of the largest magnitude to −8 or near it, the one with the
/// least squared error is taken, and then fitted to its integers by least squares. On normal numbers
/// the error is 8.1 % of the norm; scaling the largest magnitude to 7 alone would give 9.7 %.
struct FourBitGroup {
  /// Eight numbers, for vector units.
  private typealias Lanes = SIMD8<Float>

  /// The numbers.
  private let lanes: (Lanes, Lanes, Lanes, Lanes)
  /// The number of the largest magnitude.
  private let extreme: Float

  private static let divisors: [Float] = [-8, -8.5, -7.5, -9, -7, 7, 7.5, -6.5, -9.5]

  /// Takes 32 numbers; nil where one is infinite or NaN.
  init?(_ numbers: UnsafeBufferPointer<Float>) {
    precondition(numbers.count == Quantization.groupSize, "a group has \(numbers.count) numbers")
    let magnitude = QuantizedRows.largest(of: numbers)
    guard magnitude.isFinite else { return nil }
    extreme = numbers.first { $0.magnitude == magnitude } ?? 0
    let bytes = UnsafeRawBufferPointer(numbers)
    func load(_ place: Int) -> Lanes {
      bytes.loadUnaligned(fromByteOffset: 32 * place, as: Lanes.self)
    }
    lanes = (load(0), load(1), load(2), load(3))
  }

  /// Quantizes the numbers.
  ///
  /// - Parameter values: memory for 16 bytes, see `Quantization.int4`.
  /// - Returns: the scale; nil where it would be beyond the range of f16. Numbers below the least scale
  ///   become 0.
  func quantize(to values: UnsafeMutablePointer<UInt8>) -> Float16? {
    guard Float16(extreme / Self.divisors[0]).isFinite else { return nil }
    var best = (error: Float.infinity, slope: Float(0), scale: Float16(0))
    for divisor in Self.divisors {
      let scale = Float16(extreme / divisor)
      guard scale != 0, scale.isFinite else { continue }
      let (error, slope) = fit(scale)
      if error < best.error { best = (error, slope, scale) }
    }
    guard best.scale != 0 else {
      for i in 0..<16 { values[i] = 0x88 }
      return 0
    }
    let fitted = Float16(best.slope)
    if fitted != 0, fitted.isFinite, fit(fitted).error < best.error { best.scale = fitted }
    let inverse = 1 / Float(best.scale)
    let low = (Self.rounded(lanes.0 * inverse), Self.rounded(lanes.1 * inverse))
    let high = (Self.rounded(lanes.2 * inverse), Self.rounded(lanes.3 * inverse))
    for i in 0..<8 {
      values[i] = UInt8(low.0[i] + 8) | UInt8(high.0[i] + 8) << 4
      values[8 + i] = UInt8(low.1[i] + 8) | UInt8(high.1[i] + 8) << 4
    }
    return best.scale
  }

  /// The squared error with a scale, and the scale that fits its integers best.
  private func fit(_ scale: Float16) -> (error: Float, slope: Float) {
    let (factor, inverse) = (Float(scale), 1 / Float(scale))
    var (error, product, square) = (Lanes.zero, Lanes.zero, Lanes.zero)
    func add(_ numbers: Lanes) {
      let integers = Self.rounded(numbers * inverse)
      let difference = integers * factor - numbers
      error += difference * difference
      product += integers * numbers
      square += integers * integers
    }
    add(lanes.0)
    add(lanes.1)
    add(lanes.2)
    add(lanes.3)
    let squares = square.sum()
    return (error.sum(), squares > 0 ? product.sum() / squares : 0)
  }

  /// The nearest of the integers from −8 to 7, ties to even.
  private static func rounded(_ numbers: Lanes) -> Lanes {
    let near = (numbers + QuantizedRows.rounding) - QuantizedRows.rounding
    return near.clamped(lowerBound: Lanes(repeating: -8), upperBound: Lanes(repeating: 7))
  }
}
