extension Tensor {
  /// The mean over all axes but the first: one number per sample.
  public func meanPerSample() -> Tensor {
    rank == 1 ? self : mean(Array(1..<rank))
  }

  /// The cross-entropy in nats of logits `[batch, classes]` against class indices `[batch]`, one
  /// per sample.
  public func crossEntropy(_ classes: Tensor) -> Tensor {
    -(logSoftmax() * classes.oneHot(shape[-1], dtype)).sum([-1])
  }
}
