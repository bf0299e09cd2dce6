import Flow
import Models
import Tensors

/// A network whose evaluations are sharded over the mesh by samples and computed in a given element
/// type.
package struct ShardedModel: FeatureModel, LayerSkippingModel {
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
    let sharded = { (value: Tensor) in value.sharded(.batch) }
    let result = model(
      sharded(x.cast(to: compute)), time: sharded(time), target: sharded(target),
      condition: condition.mapValues(sharded))
    return sharded(result).cast(to: x.dtype)
  }

  /// See `LayerSkippingModel`.
  package func skipping(_ layers: Set<Int>) -> ShardedModel {
    guard let model = model as? any LayerSkippingModel else {
      preconditionFailure("\(type(of: model)) cannot leave out blocks")
    }
    return ShardedModel(model: model.skipping(layers), compute: compute)
  }

  /// See `FeatureModel`; the features have the samples' element type.
  package func features(
    after layers: [Int], _ x: Tensor, time: Tensor, target: Tensor, condition: Named<Tensor>
  ) -> [Tensor] {
    guard let model = model as? any FeatureModel else {
      preconditionFailure("\(type(of: model)) has no features")
    }
    let sharded = { (value: Tensor) in value.sharded(.batch) }
    return model.features(
      after: layers, sharded(x.cast(to: compute)), time: sharded(time), target: sharded(target),
      condition: condition.mapValues(sharded)
    ).map { sharded($0).cast(to: x.dtype) }
  }
}
