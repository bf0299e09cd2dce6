import Layers

/// Quantization of a matrix's rows on the host, as `QuantizedTensor` quantizes on a device.
enum RowQuantization {
  /// The factor on the integers of a row: its largest magnitude becomes 127.
  ///
  /// - Returns: nil where a number of the row is infinite or NaN.
  static func scale(of row: UnsafeBufferPointer<Float>) -> Float? {
    // The magnitudes of floats are ordered as their bits, which vector units compare.
    var largest: UInt32 = 0
    for value in row { largest = max(largest, value.bitPattern & 0x7FFF_FFFF) }
    let magnitude = Float(bitPattern: largest)
    return magnitude.isFinite
      ? max(magnitude, Float(QuantizedTensor.leastMagnitude)) / 127 : nil
  }

  /// Divides numbers by their row's scale and rounds, ties to even.
  static func quantize(
    _ row: UnsafeBufferPointer<Float>, scale: Float, to target: UnsafeMutableBufferPointer<Int8>
  ) {
    // In 1.5 · 2²³ + q, with |q| ≤ 127, the last bits of the sum are those of q, rounded by the adder.
    let shift: Float = 12_582_912
    for i in row.indices {
      target[i] = Int8(truncatingIfNeeded: (row[i] / scale + shift).bitPattern)
    }
  }

  /// Multiplies integers with their row's scale.
  static func dequantize(
    _ row: UnsafeBufferPointer<Int8>, scale: Float, to target: UnsafeMutableBufferPointer<Float>
  ) {
    for i in row.indices { target[i] = Float(row[i]) * scale }
  }
}
