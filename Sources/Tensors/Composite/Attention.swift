extension Tensor {
  /// Scaled dot-product attention: this is the queries.
  ///
  /// - Parameters:
  ///   - keys: `[batch, tokens, heads, width]`, as the queries `[batch, queries, heads, width]`.
  ///   - values: as the keys.
  ///   - mask: bools that broadcast to `[batch, heads, queries, tokens]`, true where a query may
  ///     look; every query must see something.
  ///   - scale: by default 1/√width.
  /// - Returns: `[batch, queries, heads, width]`. The softmax is computed in f32 at least.
  public func attention(
    keys: Tensor, values: Tensor, mask: Tensor? = nil, scale: Double? = nil
  ) -> Tensor {
    let scale = scale ?? 1 / Double(shape[-1]).squareRoot()
    let exact: DType = dtype == .float64 ? .float64 : .float32
    let queries = transpose([0, 2, 1, 3])
    var scores = queries.dot(
      keys.transpose([0, 2, 1, 3]), contracting: ([3], [3]), batch: ([0, 1], [0, 1]), result: exact)
    scores = scores * scale
    if let mask {
      scores = mask.broadcast(to: scores.shape).select(scores, .constant(-1e30, exact))
    }
    let weights = scores.softmax().cast(to: values.dtype)
    let mixed = weights.dot(
      values.transpose([0, 2, 1, 3]), contracting: ([3], [2]), batch: ([0, 1], [0, 1]))
    return mixed.transpose([0, 2, 1, 3])
  }
}
