import Tensors

/// The regression target of recursive consistent velocity fields: "Any-step generation via N-th
/// order recursive consistent velocity field estimation".
struct RCGM {
  /// The length of the first step, which follows the path to the data; 0.01 as published.
  ///
  /// The residual is divided by it: a short step magnifies the difference of the student and the target
  /// network, so that little of the data is left within the clamp. A step of 1 is flow matching.
  var firstStep = 0.01

  /// The number of further steps, taken by the target network, to the target time.
  let order: Int

  /// `stopgrad(F − r)` with the residual r of the student's velocity F, clamped to ±1.
  ///
  /// - Parameters:
  ///   - velocity: the student's F at (x_t, t, tt).
  ///   - flow: the velocity of the path, `z − x`, enhanced or not.
  func target(
    _ velocity: Tensor, flow: Tensor, x: Tensor, time: Tensor, target: Tensor,
    condition: Named<Tensor>, network: any VelocityModel
  ) -> Tensor {
    // A first step all the way leaves nothing to the target network.
    guard firstStep < 1 else {
      return (velocity - (velocity - flow).clamped(-1...1)).stopGradient()
    }
    let wide = { (t: Tensor) in t.expanded(toRank: x.rank).cast(to: x.dtype) }
    let start = (time - firstStep).maximum(target)
    var point = x - flow * firstStep
    var sum = flow.zerosLike
    // Written so that every step has length 0 where start = target.
    let times = (0...order).map { target + (start - target) * (1 - Double($0) / Double(order)) }
    for (now, next) in zip(times, times.dropFirst()) {
      let step = network.evaluate(point, time: now, target: next, condition: condition)
      point = interpolate(data: step.data, noise: step.noise, time: next)
      sum = sum + step.velocity * wide(now - next)
    }
    // Where t = tt there is nothing to integrate, and any finite factor works.
    let span = time - target
    let near = time.less(target + firstStep)
    let one = span.zerosLike + 1
    let safe = span.greater(0).select(span, one)
    let left = near.select(one, span / firstStep)
    let right = near.select(1 / safe, one / firstStep)
    let residual = (velocity * wide(left) - sum * wide(right) - flow).clamped(-1...1)
    return (velocity - residual).stopGradient()
  }
}
