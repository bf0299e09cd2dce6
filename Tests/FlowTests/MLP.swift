import Flow
import Layers
import Tensors

/// A small network: a three-layer MLP of sample, times and condition.
struct MLP: FeatureModel {
  let layers: [LinearMap]

  /// Features of a sample, of its condition, and within.
  struct Sizes {
    let dim: Int
    let cdim: Int
    let hidden: Int
  }

  init(_ weights: Named<Tensor>, _ sizes: Sizes) {
    let widths = [sizes.dim + 2 + sizes.cdim, sizes.hidden, sizes.hidden, sizes.dim]
    layers = Scope.bind(weights) { scope in
      (1...3).map { scope.linear("fc\($0)", widths[$0 - 1], widths[$0]) }
    }
  }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    layers[2](hidden(x, time, target, condition)[1]).reshape(x.shape)
  }

  func features(
    after chosen: [Int], _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    let hidden = hidden(x, time, target, condition)
    return chosen.map { hidden[$0].expanded([1]) }
  }

  private func hidden(
    _ x: Tensor, _ time: Tensor, _ target: Tensor, _ condition: Named<Tensor>
  ) -> [Tensor] {
    let input = Tensor.concatenate(
      [x.reshape([x.shape[0], -1]), time.expanded([1]), target.expanded([1]), condition["c"]!],
      axis: 1)
    let first = layers[0](input).tanh()
    return [first, layers[1](first).tanh()]
  }
}
