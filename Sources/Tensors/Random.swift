#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#else
  import Darwin
#endif

/// A key for random numbers: the same key gives the same numbers in every run and on every device.
///
/// Use a key once; `split` it for more.
public struct Key: Sendable {
  /// Two 64-bit words.
  public let state: Tensor

  /// Makes a key from a tensor of type ui64[2].
  public init(_ state: Tensor) {
    precondition(state.type == Key.type, "a key is \(Key.type), not \(state.type)")
    self.state = state
  }

  /// Makes a key that is part of the program.
  public init(seed: UInt64) { self.init(.constant([seed, 0], shape: [2])) }

  /// The type of a key's tensor.
  public static let type = TensorType([2], .uint64)

  /// Independent keys.
  public func split(_ count: Int) -> [Key] { derived(count, tag: Self.splitTag) }

  /// The states of the keys that `split` gives, ui64`[count, 2]`.
  public func splitStates(_ count: Int) -> Tensor { derivedStates(count, tag: Self.splitTag) }

  private static let splitTag: UInt64 = 0x5851_F42D_4C95_7F2D

  /// Keys from the stream of bits that a tag selects, so that no two uses share a stream.
  private func derived(_ count: Int, tag: UInt64) -> [Key] {
    derivedStates(count, tag: tag).unstack().map { Key($0) }
  }

  private func derivedStates(_ count: Int, tag: UInt64) -> Tensor {
    let tag = Tensor.constant([tag, 0x1405_7B7E_F767_814F], shape: [2])
    return Key(state ^ tag).bits(Shape([count, 2]), .uint64)
  }

  /// A key for one round of many, such as a step, by its number, any integer scalar.
  public func folded(_ number: Tensor) -> Key {
    let word = number.cast(to: .uint64).reshape([1])
    let zero = Tensor.zeros([1], .uint64)
    return Key(state ^ Tensor.concatenate([zero, word])).derived(1, tag: 0xD134_2543_DE82_EF95)[0]
  }

  /// Uniformly random bits.
  public func bits(_ shape: Shape, _ dtype: DType = .uint32) -> Tensor {
    Node(RandomBits(type: TensorType(shape, dtype)), [state]).tensors[1]
  }

  /// Uniform numbers strictly between 0 and 1.
  public func uniform(_ shape: Shape, _ dtype: DType = .float32) -> Tensor {
    if dtype == .float64 {
      return ((bits(shape, .uint64) >> 12).cast(to: .float64) + 0.5) * 0x1p-52
    }
    let value = ((bits(shape) >> 9).cast(to: .float32) + 0.5) * 0x1p-23
    // In half precision the largest values would round to 1.
    return dtype == .float32
      ? value : value.cast(to: dtype).minimum(dtype == .bfloat16 ? 1 - 0x1p-8 : 1 - 0x1p-11)
  }

  /// The type that numbers are computed in: f64, or f32 for narrower types.
  private func exact(_ dtype: DType) -> DType { dtype == .float64 ? .float64 : .float32 }

  /// Numbers of the standard normal distribution.
  public func normal(_ shape: Shape, _ dtype: DType = .float32) -> Tensor {
    let value = (uniform(shape, exact(dtype)) * 2 - 1).erfInverse() * 2.0.squareRoot()
    return value.cast(to: dtype)
  }

  /// Logarithms of numbers of the gamma distribution with shape `a` > 0 and scale 1.
  ///
  /// Marsaglia and Tsang, "A simple method for generating gamma variables", 2000. Sixteen proposals
  /// are drawn for each number and the first accepted one is used; the probability that none is
  /// accepted is below 1e−20, and the last one is used then. Logarithms, because for a small `a`
  /// most numbers underflow.
  func logGamma(_ a: Double, _ shape: Shape, _ dtype: DType) -> Tensor {
    precondition(a > 0 && a.isFinite, "the gamma distribution's shape must be positive, not \(a)")
    let proposals = 16
    let keys = split(3)
    let d = (a < 1 ? a + 1 : a) - 1.0 / 3
    let c = 1 / (9 * d).squareRoot()
    let all = Shape([proposals] + shape.sizes)
    let normal = keys[0].normal(all, dtype)
    let uniform = keys[1].uniform(all, dtype)
    let base = 1 + normal * c
    let cube = base * base * base
    let logCube = 3 * base.maximum(1e-30).log()
    let bound = 0.5 * normal * normal + d - d * cube + d * logCube
    let accepted = base.greater(0) & uniform.log().less(bound)
    let place = Tensor.iota(all, axis: 0, .int32)
    let last = Tensor.constant(Double(proposals - 1), .int32)
    let first = accepted.select(place, last).min([0], keep: true)
    let chosen = place.equal(first).select(logCube + log(d), .constant(0, dtype))
    var result = chosen.sum([0])
    if a < 1 { result = result + keys[2].uniform(shape, dtype).log() / a }
    return result
  }

  /// Numbers of the gamma distribution with shape `a` > 0 and scale 1.
  public func gamma(_ a: Double, _ shape: Shape, _ dtype: DType = .float32) -> Tensor {
    logGamma(a, shape, exact(dtype)).exp().cast(to: dtype)
  }

  /// Numbers of the beta distribution with any positive parameters.
  public func beta(
    _ a: Double, _ b: Double, _ shape: Shape, _ dtype: DType = .float32
  ) -> Tensor {
    if a == 1, b == 1 { return uniform(shape, dtype) }
    let keys = split(2)
    let wide = exact(dtype)
    return (keys[0].logGamma(a, shape, wide) - keys[1].logGamma(b, shape, wide)).sigmoid()
      .cast(to: dtype)
  }

  /// A random permutation of the integers below a count; s32.
  public func permutation(_ count: Int) -> Tensor {
    // Random 64-bit values are sorted; the probability of ties is count²/2⁶⁴.
    bits([count], .uint64).bitcast(to: .int64).argsort()
  }

  /// Uniform integers from 0 up to, and not including, a bound; s32.
  public func integers(below bound: Int, _ shape: Shape) -> Tensor {
    let scaled = uniform(shape, .float64) * Double(bound)
    return scaled.floor().cast(to: .int32)
  }

  /// True with a probability.
  public func bernoulli(_ probability: Double, _ shape: Shape) -> Tensor {
    uniform(shape).less(probability)
  }
}
