/// The numbers of blocks of a `BlockFormat`, as ggml defines them.
enum BlockDecoder {
  /// The numbers of one block in f32.
  ///
  /// - Parameters:
  ///   - block: the block's bytes.
  ///   - out: memory for `blockSize` numbers.
  static func decode(
    _ format: BlockFormat, _ block: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>
  ) {
    switch format {
    case .q4_0: halves(block + 2, half(block), -8 * half(block), to: out)
    case .q4_1: halves(block + 4, half(block), half(block + 2), to: out)
    case .q5_0: fives(block + 2, half(block), -16 * half(block), to: out)
    case .q5_1: fives(block + 4, half(block), half(block + 2), to: out)
    case .q8_0:
      let scale = half(block)
      for i in 0..<32 { out[i] = scale * Float(Int8(bitPattern: block[2 + i])) }
    case .q2_K: twos(block, to: out)
    case .q3_K: threes(block, to: out)
    case .q4_K: fours(block, to: out)
    case .q5_K: fivesK(block, to: out)
    case .q6_K: sixes(block, to: out)
    case .f32, .f16, .bf16, .f64, .i8, .i16, .i32, .i64:
      preconditionFailure("\(format.name) has no blocks")
    }
  }

  private static func half(_ bytes: UnsafePointer<UInt8>) -> Float {
    Float(Float16(bitPattern: UInt16(bytes[0]) | UInt16(bytes[1]) << 8))
  }

  /// 32 numbers of 4 bits: byte i has number i in its lower half and 16 + i in its upper one.
  private static func halves(
    _ bytes: UnsafePointer<UInt8>, _ scale: Float, _ least: Float,
    to out: UnsafeMutablePointer<Float>
  ) {
    for i in 0..<16 {
      out[i] = scale * Float(bytes[i] & 15) + least
      out[16 + i] = scale * Float(bytes[i] >> 4) + least
    }
  }

  /// 32 numbers of 5 bits: the fifth bits in 4 bytes, then the others as in `halves`.
  private static func fives(
    _ bytes: UnsafePointer<UInt8>, _ scale: Float, _ least: Float,
    to out: UnsafeMutablePointer<Float>
  ) {
    let high = (0..<4).reduce(UInt32(0)) { $0 | UInt32(bytes[$1]) << UInt32(8 * $1) }
    for i in 0..<16 {
      let (low, upper) = (UInt8(high >> UInt32(i) & 1), UInt8(high >> UInt32(16 + i) & 1))
      out[i] = scale * Float(bytes[4 + i] & 15 | low << 4) + least
      out[16 + i] = scale * Float(bytes[4 + i] >> 4 | upper << 4) + least
    }
  }

  /// 16 groups of 16 numbers of 2 bits, with a scale and an offset of 4 bits each.
  private static func twos(_ block: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>) {
    let (scale, offset) = (half(block + 80), half(block + 82))
    for group in 0..<16 {
      let factor = scale * Float(block[group] & 15)
      let least = offset * Float(block[group] >> 4)
      let bytes = block + 16 + 32 * (group / 8) + 16 * (group % 2)
      let shift = UInt8(2 * (group / 2 % 4))
      for i in 0..<16 { out[16 * group + i] = factor * Float(bytes[i] >> shift & 3) - least }
    }
  }

  /// 16 groups of 16 numbers of 3 bits, the third ones first, with a scale of 6 bits each.
  private static func threes(_ block: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>) {
    let (scales, scale) = (block + 96, half(block + 108))
    for group in 0..<16 {
      let low = group < 8 ? scales[group] & 15 : scales[group - 8] >> 4
      let high = scales[8 + group % 4] >> UInt8(2 * (group / 4)) & 3
      let factor = scale * Float(Int(low | high << 4) - 32)
      let bytes = block + 32 + 32 * (group / 8) + 16 * (group % 2)
      let (shift, bit) = (UInt8(2 * (group / 2 % 4)), UInt8(group / 2))
      for i in 0..<16 {
        let third = Int(block[16 * (group % 2) + i] >> bit & 1)
        out[16 * group + i] = factor * Float(Int(bytes[i] >> shift & 3) - (third == 1 ? 0 : 4))
      }
    }
  }

  /// The scale and the offset, of 6 bits each, of one of 8 groups.
  private static func scales(
    _ bytes: UnsafePointer<UInt8>, _ group: Int
  ) -> (scale: Float, offset: Float) {
    if group < 4 { return (Float(bytes[group] & 63), Float(bytes[group + 4] & 63)) }
    return (
      Float(bytes[group + 4] & 15 | (bytes[group - 4] >> 6) << 4),
      Float(bytes[group + 4] >> 4 | (bytes[group] >> 6) << 4)
    )
  }

  /// 8 groups of 32 numbers of 4 bits; two groups share 32 bytes.
  private static func fours(_ block: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>) {
    let (scale, offset) = (half(block), half(block + 2))
    for group in 0..<8 {
      let (own, least) = scales(block + 4, group)
      let (factor, minimum) = (scale * own, offset * least)
      let bytes = block + 16 + 32 * (group / 2)
      let shift = UInt8(4 * (group % 2))
      for i in 0..<32 { out[32 * group + i] = factor * Float(bytes[i] >> shift & 15) - minimum }
    }
  }

  /// 8 groups of 32 numbers of 5 bits, the fifth ones in 32 bytes of their own.
  private static func fivesK(_ block: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>) {
    let (scale, offset, high) = (half(block), half(block + 2), block + 16)
    for group in 0..<8 {
      let (own, least) = scales(block + 4, group)
      let (factor, minimum) = (scale * own, offset * least)
      let bytes = block + 48 + 32 * (group / 2)
      let (shift, bit) = (UInt8(4 * (group % 2)), UInt8(group))
      for i in 0..<32 {
        let number = bytes[i] >> shift & 15 | (high[i] >> bit & 1) << 4
        out[32 * group + i] = factor * Float(number) - minimum
      }
    }
  }

  /// 16 groups of 16 numbers of 6 bits, the upper two in 64 bytes of their own, with a scale of 8 bits
  /// each.
  private static func sixes(_ block: UnsafePointer<UInt8>, to out: UnsafeMutablePointer<Float>) {
    let scale = half(block + 208)
    for group in 0..<16 {
      let factor = scale * Float(Int8(bitPattern: block[192 + group]))
      // Each half of the block has four rows of 32 numbers.
      let (part, row, column) = (group / 8, group % 8 / 2, 16 * (group % 2))
      let low = block + 64 * part + 32 * (row % 2) + column
      let high = block + 128 + 32 * part + column
      let (shift, upper) = (UInt8(4 * (row / 2)), UInt8(2 * row))
      for i in 0..<16 {
        let number = low[i] >> shift & 15 | (high[i] >> upper & 3) << 4
        out[16 * group + i] = factor * Float(Int(number) - 32)
      }
    }
  }
}
