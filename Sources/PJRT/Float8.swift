/// Floating-point numbers of 8 bits on the host.
///
/// `float8e4m3` has 4 bits of exponent, 3 of fraction, no infinities, and one NaN of each sign; its
/// largest number is 448. `float8e5m2` has 5 and 2 bits, and infinities and NaN as IEEE 754 has them;
/// it is the upper half of f16. Every number of both is exact in bf16 and f16.
public enum Float8 {
  /// The number of a bit pattern.
  public static func value(_ bits: UInt8, _ dtype: DType) -> Float {
    values(dtype)[Int(bits)]
  }

  /// The numbers of all bit patterns, in order.
  public static func values(_ dtype: DType) -> [Float] {
    precondition(dtype.isFloat8, "\(dtype.rawValue) is no floating-point type of 8 bits")
    return dtype == .float8e4m3 ? e4m3 : e5m2
  }

  /// The bits of the nearest number, ties to even; larger numbers become infinite, or NaN in a type
  /// without infinities.
  public static func bits(of value: Float, _ dtype: DType) -> UInt8 {
    let all = values(dtype)
    let sign: UInt8 = value.sign == .minus ? 0x80 : 0
    // The magnitudes of bit patterns are in order.
    let (infinity, most): (UInt8, UInt8) = dtype == .float8e4m3 ? (0x7F, 0x7E) : (0x7C, 0x7B)
    if value.isNaN { return sign | 0x7F }
    let magnitude = value.magnitude
    var (low, high) = (0, Int(most))
    if magnitude >= all[high] {
      let tie = all[high] + (all[high] - all[high - 1]) / 2
      return sign | (magnitude < tie || magnitude == tie && most % 2 == 0 ? most : infinity)
    }
    while high - low > 1 {
      let middle = (low + high) / 2
      if all[middle] <= magnitude { low = middle } else { high = middle }
    }
    let (below, above) = (magnitude - all[low], all[high] - magnitude)
    let isUp = above < below || above == below && low % 2 == 1
    return sign | UInt8(isUp ? high : low)
  }

  private static let e4m3 = table(exponentBits: 4, bias: 7, hasInfinity: false)
  private static let e5m2 = table(exponentBits: 5, bias: 15, hasInfinity: true)

  private static func table(exponentBits: Int, bias: Int, hasInfinity: Bool) -> [Float] {
    let fractionBits = 7 - exponentBits
    return (0..<256).map { bits in
      let exponent = bits >> fractionBits & (1 << exponentBits - 1)
      let fraction = bits & (1 << fractionBits - 1)
      let sign: Float = bits & 0x80 == 0 ? 1 : -1
      if exponent == 1 << exponentBits - 1 {
        if hasInfinity { return fraction == 0 ? sign * .infinity : .nan }
        if fraction == 1 << fractionBits - 1 { return .nan }
      }
      let scale = Float(
        sign: .plus, exponent: max(exponent, 1) - bias - fractionBits, significand: 1)
      return sign * Float(fraction + (exponent == 0 ? 0 : 1 << fractionBits)) * scale
    }
  }
}
