import Tensors

/// Multi-head self-attention. The projections to queries, keys and values are separate maps, under the
/// names of published checkpoints, and computed as one matrix multiplication.
public struct SelfAttention {
  let qkv: FusedMaps
  let output: LinearMap
  let heads: Int

  /// Makes attention over `width` features in `heads` heads.
  ///
  /// - Parameter bias: whether the maps to queries, keys and values have a bias; that of the output
  ///   always has one.
  public init(_ scope: Scope, width: Int, heads: Int, bias: Bool = true) {
    precondition(width % heads == 0, "\(width) features do not make \(heads) heads")
    let maps = ["to_q", "to_k", "to_v"].map {
      scope.linear(
        $0, width, width, bias: bias, initial: .xavier(width, 3 * width), from: .embed,
        to: .heads)
    }
    qkv = FusedMaps(maps)
    output = (scope / "to_out").linear("0", width, width, from: .heads, to: .embed)
    self.heads = heads
  }

  /// `[batch, tokens, width]` to the same shape.
  ///
  /// - Parameter rotary: rotates queries and keys `[batch, tokens, heads, width]` by their
  ///   positions, see `Rotary`.
  public func callAsFunction(
    _ x: Tensor, _ options: AttentionOptions = AttentionOptions(),
    rotary: ((Tensor) -> Tensor)? = nil
  ) -> Tensor {
    let packed = qkv(x).reshape([x.shape[0], x.shape[1], 3, heads, x.shape[2] / heads])
      .sharded(.batch, nil, nil, .heads)
    guard let rotary else { return output(packed.selfAttention(options).reshape(x.shape)) }
    let parts = packed.unstack(2)
    let mixed = rotary(parts[0]).attention(keys: rotary(parts[1]), values: parts[2], options)
    return output(mixed.reshape(x.shape))
  }
}
