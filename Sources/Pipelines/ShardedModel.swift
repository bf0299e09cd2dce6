import Flow
import Tensors

/// A network whose evaluations are sharded over the mesh by samples, and computed in an element type
/// of their own.
package struct ShardedModel: VelocityModel {
  let model: any VelocityModel
  let compute: DType

  /// Wraps a network.
  package init(model: any VelocityModel, compute: DType) {
    (self.model, self.compute) = (model, compute)
  }

  /// See `VelocityModel`; the result has the samples' element type.
  package func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let split = { (value: Tensor) in value.sharded(.batch) }
    let result = model(
      split(x.cast(to: compute)), time: split(time), target: split(target),
      condition: condition.mapValues(split))
    return split(result).cast(to: x.dtype)
  }
}
