import Tensors

/// Multi-head self-attention with one projection for queries, keys and values.
public struct SelfAttention {
  let qkv: Linear
  let output: Linear
  let heads: Int

  /// Makes attention over `width` features in `heads` heads.
  public init(_ scope: Scope, width: Int, heads: Int) {
    precondition(width % heads == 0, "\(width) features do not make \(heads) heads")
    qkv = Linear(scope / "qkv", width, width, parts: 3, from: .embed, to: .heads)
    output = Linear(scope / "output", width, width, from: .heads, to: .embed)
    self.heads = heads
  }

  /// `[batch, tokens, width]` to the same shape.
  public func callAsFunction(_ x: Tensor, mask: Tensor? = nil) -> Tensor {
    let packed = qkv(x).reshape([x.shape[0], x.shape[1], 3, heads, x.shape[2] / heads])
      .sharded(.batch, nil, nil, .heads)
    return output(packed.selfAttention(mask: mask).reshape(x.shape))
  }
}
