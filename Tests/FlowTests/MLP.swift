import Flow
import Layers
import Tensors

/// A small network: a three-layer MLP of sample, times and condition.
struct MLP: VelocityModel {
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
    let input = Tensor.concatenate(
      [x.reshape([x.shape[0], -1]), time.expanded([1]), target.expanded([1]), condition["c"]!],
      axis: 1)
    return layers[2](layers[1](layers[0](input).tanh()).tanh()).reshape(x.shape)
  }
}
