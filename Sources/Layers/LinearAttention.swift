import Tensors

extension Tensor {
  /// Attention whose weights are `relu(q)·relu(k)`, divided by their sum over the keys: Katharopoulos and
  /// others, "Transformers are RNNs: Fast autoregressive transformers with linear attention", 2020; with the
  /// rectifier, Cai and others, "EfficientViT", 2023.
  ///
  /// Keys and values are summed up before queries meet them, so that its cost grows with the number of
  /// tokens, not with its square. It is computed in f32.
  ///
  /// - Parameters:
  ///   - keys: `[batch, tokens, heads, width]`, as the queries.
  ///   - values: `[batch, tokens, heads, width]`.
  /// - Returns: `[batch, tokens, heads, width]`, in the queries' element type.
  public func linearAttention(keys: Tensor, values: Tensor) -> Tensor {
    let (q, k) = (relu().wide, keys.relu().wide)
    let v = values.wide
    let ones = Tensor.ones(Shape(v.shape.sizes.dropLast() + [1]), v.dtype)
    // Values of 1 sum up the weights in the same product.
    let state = Tensor.einsum("bnhd,bnhe->bhde", k, .concatenate([v, ones], axis: -1))
    let sums = Tensor.einsum("bnhd,bhde->bnhe", q, state)
    let width = v.shape[3]
    return (sums.slice(3, 0..<width) / (sums.slice(3, width..<width + 1) + 1e-15)).cast(to: dtype)
  }
}
