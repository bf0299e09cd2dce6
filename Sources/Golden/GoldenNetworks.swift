import Flow
import Layers
import Tensors

/// The network of the cases: a three-layer MLP of sample, times and condition.
struct MLP: FeatureModel {
  /// The names of its weights.
  static let names = (1...3).flatMap { ["fc\($0).bias", "fc\($0).weight"] }

  /// The weights, `[output, input]` and `[output]`, of three layers.
  let layers: [(weight: Tensor, bias: Tensor)]
  /// Whether it takes the target time.
  let takesTarget: Bool

  init(_ weights: Named<Tensor>, takesTarget: Bool = true) {
    layers = (1...3).map { (weights["fc\($0).weight"]!, weights["fc\($0).bias"]!) }
    self.takesTarget = takesTarget
  }

  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let last = hidden(x, time, target, condition)[1]
    return affine(last, layers[2]).reshape(x.shape)
  }

  /// The values after hidden layers, as of one token.
  func features(
    after chosen: [Int], _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    let hidden = hidden(x, time, target, condition)
    return chosen.map { hidden[$0].reshape([x.shape[0], 1, -1]) }
  }

  private func hidden(
    _ x: Tensor, _ time: Tensor, _ target: Tensor, _ condition: Named<Tensor>
  ) -> [Tensor] {
    let times = takesTarget ? [time, target] : [time]
    let input = Tensor.concatenate(
      [x.reshape([x.shape[0], -1])] + times.map { $0.expanded([1]) }
        + [condition["c"]!.shifted(by: condition)], axis: 1)
    let first = affine(input, layers[0]).tanh()
    return [first, affine(first, layers[1]).tanh()]
  }

  private func affine(_ x: Tensor, _ layer: (weight: Tensor, bias: Tensor)) -> Tensor {
    x.dot(layer.weight, contracting: ([1], [1])) + layer.bias
  }
}

extension Named<Tensor> {
  /// The weights with LoRA on the first two layers, `W + scale·B·A`.
  func merged(with lora: Named<Tensor>, scale: Double) -> Named<Tensor> {
    var result = self
    for layer in ["fc1", "fc2"] {
      guard let a = lora["\(layer)_A"], let b = lora["\(layer)_B"] else { continue }
      let change = b.dot(a, contracting: ([1], [0])) * scale
      result["\(layer).weight"] = self["\(layer).weight"]! + change
    }
    return result
  }
}
