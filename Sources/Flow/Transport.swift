import Tensors

/// A network that predicts the velocity of the linear flow between data and noise.
///
/// `x_t = t·z + (1 − t)·x`: t = 1 is noise z, t = 0 is data x, and the velocity is `z − x`.
/// Times are in [−1, 1]; negative times are the twin trajectory, on which the network learns its
/// own fakes.
public protocol VelocityModel {
  /// The predicted velocity, of `x`'s type.
  ///
  /// - Parameters:
  ///   - x: the noised samples `[batch, …]`.
  ///   - time: the signed current times `[batch]`.
  ///   - target: the signed target times `[batch]`.
  ///   - condition: the condition of each sample, batch first.
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor
}

/// One evaluation of a network, with the ends of the path that its velocity implies.
public struct Evaluation {
  /// The predicted velocity F.
  public let velocity: Tensor
  /// The predicted data, `x̂ = x_t − |t|·F`.
  public let data: Tensor
  /// The predicted noise, `ẑ = x_t + (1 − |t|)·F`.
  public let noise: Tensor
}

extension Evaluation {
  /// The ends of the path of a velocity at a point.
  init(velocity: Tensor, at x: Tensor, time: Tensor) {
    let size = time.abs().expanded(toRank: x.rank).cast(to: x.dtype)
    self.init(velocity: velocity, data: x - size * velocity, noise: x + (1 - size) * velocity)
  }
}

extension VelocityModel {
  /// Evaluates the network and predicts both ends of the path.
  public func evaluate(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Evaluation {
    Evaluation(
      velocity: self(x, time: time, target: target, condition: condition), at: x, time: time)
  }
}

/// The points of the paths between data and noise at times `[batch]`, `t·z + (1 − t)·x`.
public func interpolate(data: Tensor, noise: Tensor, time: Tensor) -> Tensor {
  let t = time.expanded(toRank: data.rank).cast(to: data.dtype)
  return t * noise + (1 - t) * data
}

extension Tensor {
  /// Rows of the first axis, concatenated over ascending ranges.
  func rows(_ ranges: [Range<Int>]) -> Tensor {
    ranges.count == 1 ? self[ranges[0]] : .concatenate(ranges.map { self[$0] })
  }

  /// The tensor with the rows of ascending ranges replaced.
  func replacing(_ ranges: [Range<Int>], with rows: Tensor) -> Tensor {
    var pieces: [Tensor] = []
    var (place, taken) = (0, 0)
    for range in ranges where !range.isEmpty {
      pieces.append(self[place..<range.lowerBound])
      pieces.append(rows[taken..<taken + range.count])
      (place, taken) = (range.upperBound, taken + range.count)
    }
    pieces.append(self[place..<shape[0]])
    return .concatenate(pieces.filter { $0.shape[0] > 0 })
  }
}

extension Named<Tensor> {
  /// Rows of every tensor's first axis.
  public func rows(_ range: Range<Int>) -> Named { mapValues { $0[range] } }

  /// Rows of every tensor's first axis, concatenated over ascending ranges.
  func rows(_ ranges: [Range<Int>]) -> Named { mapValues { $0.rows(ranges) } }

  /// These rows followed by those of another collection of the same names.
  public func appending(_ other: Named) -> Named {
    map { name, value in .concatenate([value, other[name]!]) }
  }
}
