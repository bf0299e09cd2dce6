import Layers
import Tensors

/// Quantization of a matrix's rows on the host: in 8 bits as `QuantizedTensor` quantizes on a device.
enum QuantizedRows {
  /// The factor on the integers of a row in 8 bits: its largest magnitude becomes 127.
  ///
  /// - Returns: nil where a number of the row is infinite or NaN.
  static func scale(of row: UnsafeBufferPointer<Float>) -> Float? {
    let magnitude = largest(of: row)
    return magnitude.isFinite
      ? max(magnitude, Float(QuantizedTensor.leastMagnitude)) / 127 : nil
  }

  /// The largest magnitude, infinite or NaN where a number is.
  private static func largest(of numbers: UnsafeBufferPointer<Float>) -> Float {
    // The magnitudes of floats are ordered as their bits, which vector units compare.
    var largest: UInt32 = 0
    for value in numbers { largest = max(largest, value.bitPattern & 0x7FFF_FFFF) }
    return Float(bitPattern: largest)
  }

  /// Divides numbers by their row's scale and rounds, ties to even.
  static func quantize(
    _ row: UnsafeBufferPointer<Float>, scale: Float, to target: UnsafeMutableBufferPointer<Int8>
  ) {
    for i in row.indices {
      target[i] = Int8(truncatingIfNeeded: (row[i] / scale + rounding).bitPattern)
    }
  }

  /// In 1.5 · 2²³ + q, with a small whole q, the last bits of the sum are those of q, rounded by the
  /// adder.
  private static let rounding: Float = 12_582_912

  /// Numbers times their scales.
  ///
  /// - Parameter perScale: the consecutive numbers that share a scale.
  static func dequantize(
    _ stored: UnsafeRawBufferPointer, _ scales: [Float], _ quantization: Quantization,
    perScale: Int, to out: UnsafeMutableBufferPointer<Float>
  ) {
    let table: [Float] =
      switch quantization {
      case .int8, .int8Groups: (0..<256).map { Float(Int8(truncatingIfNeeded: $0)) }
      case .float8e4m3: Float8.values(.float8e4m3)
      case .float8e5m2: Float8.values(.float8e5m2)
      case .int4: (0..<16).map { Float($0 - 8) }
      }
    if quantization == .int4 {
      let half = Quantization.groupSize / 2
      for (group, scale) in scales.enumerated() {
        for i in 0..<half {
          let byte = stored[group * half + i]
          out[2 * group * half + i] = table[Int(byte & 15)] * scale
          out[2 * group * half + half + i] = table[Int(byte >> 4)] * scale
        }
      }
      return
    }
    for (part, scale) in scales.enumerated() {
      for i in part * perScale..<(part + 1) * perScale { out[i] = table[Int(stored[i])] * scale }
    }
  }

  /// Quantizes a group of 32 numbers in 8 bits: the largest magnitude becomes 127.
  ///
  /// - Returns: the scale, nil where a number is infinite or NaN, or beyond the range of scales.
  static func quantizeBytes(
    _ group: UnsafeBufferPointer<Float>, to values: UnsafeMutablePointer<UInt8>
  ) -> Float16? {
    let magnitude = largest(of: group)
    let scale = Float16(magnitude / 127)
    guard magnitude.isFinite, scale.isFinite else { return nil }
    let inverse = scale == 0 ? 0 : 1 / Float(scale)
    for (i, number) in group.enumerated() {
      // A scale that was rounded down would take the largest beyond 127.
      let integer = min(max((number * inverse + rounding) - rounding, -127), 127)
      values[i] = UInt8(bitPattern: Int8(integer))
    }
    return scale
  }

  /// Quantizes a group of 32 numbers in 4 bits.
  ///
  /// Of several scales, which take the number of the largest magnitude to −8 or near it, the one with the
  /// least squared error is taken, and then fitted to its integers by least squares. On normal numbers
  /// the error is 8.1 % of the norm; scaling the largest magnitude to 7 alone would give 9.7 %.
  ///
  /// - Parameters:
  ///   - values: memory for 16 bytes, see `Quantization.int4`.
  /// - Returns: the scale, nil where a number is infinite or NaN.
  static func quantizeGroup(
    _ group: UnsafeBufferPointer<Float>, to values: UnsafeMutablePointer<UInt8>
  ) -> Float16? {
    let magnitude = largest(of: group)
    guard magnitude.isFinite else { return nil }
    let extreme = group.first { $0.magnitude == magnitude } ?? 0
    var best = (error: Float.infinity, scale: Float16(0))
    for divisor in divisors {
      let scale = Float16(extreme / divisor)
      guard scale != 0, scale.isFinite else { continue }
      let fit = fit(group, scale)
      if fit.error < best.error { best = (fit.error, scale) }
    }
    guard best.scale != 0 else {
      // Numbers below the least of f16 become 0, and those beyond the largest are refused.
      guard Float16(extreme / divisors[0]).isFinite else { return nil }
      for i in 0..<group.count / 2 { values[i] = 0x88 }
      return 0
    }
    let fitted = Float16(fit(group, best.scale).slope)
    if fitted != 0, fitted.isFinite, fit(group, fitted).error < best.error { best.scale = fitted }
    let inverse = 1 / Float(best.scale)
    let half = group.count / 2
    for i in 0..<half {
      values[i] =
        UInt8(integer(group[i] * inverse) + 8) | UInt8(integer(group[half + i] * inverse) + 8) << 4
    }
    return best.scale
  }

  private static let divisors: [Float] = [-8, -8.5, -7.5, -9, -7, 7, 7.5, -6.5, -9.5]

  /// The squared error of a group with a scale, and the scale that fits its integers best.
  private static func fit(
    _ group: UnsafeBufferPointer<Float>, _ scale: Float16
  ) -> (error: Float, slope: Float) {
    let (factor, inverse) = (Float(scale), 1 / Float(scale))
    var (error, product, square): (Float, Float, Float) = (0, 0, 0)
    for number in group {
      let integer = rounded(number * inverse)
      let difference = integer * factor - number
      error += difference * difference
      product += integer * number
      square += integer * integer
    }
    return (error, square > 0 ? product / square : 0)
  }

  private static func rounded(_ number: Float) -> Float {
    min(max((number + rounding) - rounding, -8), 7)
  }

  private static func integer(_ number: Float) -> Int8 { Int8(rounded(number)) }
}
