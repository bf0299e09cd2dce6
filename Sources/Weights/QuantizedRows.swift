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
  static func largest(of numbers: UnsafeBufferPointer<Float>) -> Float {
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
  static let rounding: Float = 12_582_912

  /// Numbers times their scales.
  ///
  /// - Parameter perScale: the consecutive numbers that share a scale.
  static func dequantize(
    _ stored: UnsafeRawBufferPointer, _ scales: [Float], _ quantization: Quantization,
    perScale: Int, to out: UnsafeMutableBufferPointer<Float>
  ) {
    switch quantization {
    case .int8, .int8Groups:
      let integers = stored.bindMemory(to: Int8.self)
      for (part, scale) in scales.enumerated() {
        for i in part * perScale..<(part + 1) * perScale { out[i] = Float(integers[i]) * scale }
      }
    case .float8e4m3, .float8e5m2:
      Float8.values(quantization.valueType).withUnsafeBufferPointer { table in
        for (part, scale) in scales.enumerated() {
          for i in part * perScale..<(part + 1) * perScale {
            out[i] = table[Int(stored[i])] * scale
          }
        }
      }
    case .int4:
      let half = Quantization.groupSize / 2
      for (group, scale) in scales.enumerated() {
        let first = 2 * group * half
        for i in 0..<half {
          let byte = stored[group * half + i]
          out[first + i] = (Float(byte & 15) - 8) * scale
          out[first + half + i] = (Float(byte >> 4) - 8) * scale
        }
      }
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
}
