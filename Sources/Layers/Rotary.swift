import Tensors

/// Rotary position embedding: Su et al., "RoFormer", 2021.
///
/// Each pair of a head's features is rotated by an angle that depends on the token's position.
public struct Rotary {
  /// The features that form a pair.
  public enum Layout: Sendable, Hashable, CaseIterable {
    /// Neighbors 2i and 2i + 1, the real and imaginary parts of a number: FLUX, Qwen-Image,
    /// Z-Image.
    case interleaved
    /// i and i + width/2: Llama, Qwen, Gemma.
    case halfSplit
  }

  let cosines: Tensor
  let sines: Tensor
  let layout: Layout

  /// Makes an embedding from angles in radians, of which layers share the sines.
  ///
  /// - Parameter angles: `[tokens, width/2]`, or `[batch, tokens, width/2]` where samples differ.
  public init(angles: Tensor, layout: Layout) {
    precondition(
      angles.rank == 2 || angles.rank == 3,
      "rotary angles are [tokens, width/2] or [batch, tokens, width/2], not \(angles.type)")
    let wide = angles.wide
    cosines = wide.cos().expanded([-2])
    sines = wide.sin().expanded([-2])
    self.layout = layout
  }

  /// Rotates the features of `[batch, tokens, heads, width]`, computed in f32 at least.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    let half = x.shape[-1] / 2
    precondition(
      x.rank == 4 && x.shape[-1] % 2 == 0 && cosines.shape[-1] == half
        && cosines.shape[-3] == x.shape[1],
      "rotary angles for \(cosines.shape[-3]) tokens of \(2 * cosines.shape[-1]) features do not "
        + "fit \(x.type)")
    let axis = layout == .interleaved ? 4 : 3
    let pairs = Array(x.shape.sizes.dropLast()) + (layout == .interleaved ? [half, 2] : [2, half])
    let wide = x.wide.reshape(pairs).unstack(axis)
    let (c, s) = (cosines.cast(to: wide[0].dtype), sines.cast(to: wide[0].dtype))
    let turned = [wide[0] * c - wide[1] * s, wide[0] * s + wide[1] * c]
    return Tensor.stack(turned, axis: axis).reshape(x.shape).cast(to: x.dtype)
  }
}

extension Tensor {
  /// The angles of positions `[…, tokens]` for rotary embedding, `[…, tokens, width/2]` in f32:
  /// position · base^(−2i/width) for pair i.
  ///
  /// Where positions have several axes, such as time, row and column, the angles of each axis are
  /// joined along the last axis.
  public func rotaryAngles(width: Int, base: Double = 10_000) -> Tensor {
    precondition(width % 2 == 0, "rotary features come in pairs, not \(width)")
    let exponents = Tensor.iota([width / 2], .float32) * (-2 / Double(width))
    let frequencies = Tensor.constant(base, .float32).power(exponents)
    return cast(to: .float32).expanded([rank]) * frequencies
  }

  /// The angles of positions with several axes, whose pairs of features take turns: sections of them
  /// are turned by the positions along the first axis, the second one, and so on. Wang and others,
  /// "Qwen2-VL", 2024.
  ///
  /// This tensor holds the positions `[axes, batch, tokens]`.
  ///
  /// - Parameters:
  ///   - sections: the number of pairs for each axis; their sum is width/2.
  ///   - isInterleaved: whether the axes alternate from pair to pair until the section of one is full, and the
  ///     first axis has the rest: Qwen Team, "Qwen3-VL technical report", 2025.
  /// - Returns: `[batch, tokens, width/2]` in f32.
  public func multimodalAngles(
    width: Int, sections: [Int], base: Double = 10_000, isInterleaved: Bool = false
  ) -> Tensor {
    precondition(
      rank == 3 && shape[0] == sections.count && sections.reduce(0, +) == width / 2,
      "sections \(sections) of \(width / 2) pairs do not fit positions \(type)")
    let angles = rotaryAngles(width: width, base: base)
    guard isInterleaved else {
      let parts = angles.split(sizes: sections, axis: -1)
      return .concatenate(parts.enumerated().map { axis, part in part[axis] }, axis: -1)
    }
    let count = sections.count
    let axes = (0..<width / 2).map { $0 / count < sections[$0 % count] ? $0 % count : 0 }
    let chosen = (0..<count).flatMap { axis in axes.map { $0 == axis ? Float(1) : 0 } }
    return (angles * .constant(chosen, shape: [count, 1, 1, width / 2])).sum([0])
  }
}
