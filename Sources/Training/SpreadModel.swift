import Flow
import Tensors

/// A network whose evaluations are split over the mesh by samples, and computed in an element type
/// of their own.
struct SpreadModel: VelocityModel {
  let model: any VelocityModel
  let precision: DType

  /// See `VelocityModel`; the result has the samples' element type.
  func callAsFunction(
    _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> Tensor {
    let split = { (value: Tensor) in value.sharded(.batch) }
    let result = model(
      split(x.cast(to: precision)), time: split(time), target: split(target),
      condition: condition.mapValues(split))
    return split(result).cast(to: x.dtype)
  }
}
