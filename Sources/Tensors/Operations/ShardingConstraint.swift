/// A value with a given sharding over the mesh; without a mesh the value itself.
struct ShardingConstraint: Operation {
  let sharding: Sharding

  var opcode: String { "sdy.sharding_constraint" }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    "sharding = \(sharding.text(rank: operands[0].shape.rank))"
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      sharding.axes.count <= operands[0].shape.rank,
      "\(operands[0]) has fewer axes than \(sharding.axes)")
    return operands
  }

  func pullback(_ at: Application) -> [Tensor?] { [at.dy.sharded(sharding)] }
}

extension Tensor {
  /// This value, sharded over the mesh along the given axes; axes that are not listed are
  /// replicated. Without a mesh it has no effect.
  public func sharded(_ axes: LogicalAxis?...) -> Tensor { sharded(Sharding(axes)) }

  /// This value with a given sharding over the mesh. Without a mesh it has no effect.
  public func sharded(_ sharding: Sharding) -> Tensor {
    Tensor(ShardingConstraint(sharding: sharding), [self])
  }
}
