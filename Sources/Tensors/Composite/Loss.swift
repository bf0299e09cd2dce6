extension Tensor {
  /// The mean over all axes but the first: one number a sample.
  public func meanPerSample() -> Tensor {
    rank == 1 ? self : mean(Array(1..<rank))
  }

  /// The cross-entropy in nats of logits `[batch, classes]` against labels `[batch]`, one a sample.
  public func crossEntropy(_ labels: Tensor) -> Tensor {
    -(logSoftmax() * labels.oneHot(shape[-1], dtype)).sum([-1])
  }
}
