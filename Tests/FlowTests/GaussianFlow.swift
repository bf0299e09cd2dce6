import Flow
import Tensors

/// The exact any-step velocity of data from a normal distribution of mean m and deviation s in each
/// dimension, apart from an error that is added.
///
/// On the linear path a point at time t has the mean (1 − t)·m and the deviation σ(t) = √(t² + (1 − t)²·s²),
/// and the flow keeps `(x_t − (1 − t)·m) / σ(t)`.
struct GaussianFlow: VelocityModel {
  var mean = 0.0
  var deviation = 1.0
  /// A number that is added to the velocity.
  var error: Tensor?

  private func spread(_ t: Tensor) -> Tensor {
    (t * t + (1 - t) * (1 - t) * (deviation * deviation)).sqrt()
  }

  private func placed(_ t: Tensor, _ x: Tensor) -> Tensor {
    t.expanded(toRank: x.rank).cast(to: x.dtype)
  }

  /// The point of the flow at another time.
  func moved(_ x: Tensor, from t: Tensor, to tt: Tensor) -> Tensor {
    let (t, tt) = (placed(t, x), placed(tt, x))
    return (x - (1 - t) * mean) * spread(tt) / spread(t) + (1 - tt) * mean
  }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let (t, tt) = (placed(time.abs(), x), placed(target.abs(), x))
    let span = t - tt
    let isPoint = span.abs().less(1e-6)
    // The velocity where both times are one: −m + (x − (1 − t)·m)·σ'(t) / σ(t).
    let slope = (t - (1 - t) * (deviation * deviation)) / spread(t)
    let instant = (x - (1 - t) * mean) * slope / spread(t) - mean
    let safe = isPoint.select(span.zerosLike + 1, span)
    let far = (x - moved(x, from: time.abs(), to: target.abs())) / safe
    let exact = isPoint.broadcast(to: x.shape).select(instant.broadcast(to: x.shape), far)
    return error.map { exact + $0 } ?? exact
  }
}
