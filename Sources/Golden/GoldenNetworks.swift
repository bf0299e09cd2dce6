import Flow
import Layers
import Tensors

/// The network of the cases: a three-layer MLP of sample, times and condition.
struct MLP: VelocityModel {
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
    let times = takesTarget ? [time.expanded([1]), target.expanded([1])] : [time.expanded([1])]
    var h = Tensor.concatenate(
      [x.reshape([x.shape[0], -1])] + times + [condition["c"]!], axis: 1)
    for (i, layer) in layers.enumerated() {
      h = h.dot(layer.weight, contracting: ([1], [1])) + layer.bias
      if i < 2 { h = h.tanh() }
    }
    return h.reshape(x.shape)
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
