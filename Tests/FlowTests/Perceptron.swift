import Flow
import Layers
import Tensors

/// The network of the golden cases: a three-layer perceptron of sample, times and condition.
struct Perceptron: VelocityModel {
  let layers: [Linear]

  init(_ weights: Named<Tensor>, _ sizes: Golden.Sizes) {
    let widths = [sizes.dim + 2 + sizes.cdim, sizes.hidden, sizes.hidden, sizes.dim]
    layers = Scope.bind(weights) { scope in
      (1...3).map { Linear(scope / "fc\($0)", widths[$0 - 1], widths[$0]) }
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
