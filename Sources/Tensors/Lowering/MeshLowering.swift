/// Shards operations that the partitioner cannot split.
struct MeshLowering: Lowering {
  /// nil for one device.
  let mesh: Mesh?

  func replacement(for operation: any Operation, _ operands: [Tensor]) -> [Tensor]? {
    guard let mesh else { return operation is ShardingConstraint ? operands : nil }
    switch operation {
    case let attention as Attention:
      return ManualComputation.results(
        of: attention, operands, attention.shardings(operands.map(\.type)),
        results: Attention.resultShardings, over: mesh)
    case let gradient as AttentionGradient where gradient.part == .inputs:
      let attention = gradient.attention
      let shardings = attention.shardings(operands.dropLast(3).map(\.type))
      let all = shardings + Attention.resultShardings + [Attention.resultShardings[0]]
      return ManualComputation.results(
        of: gradient, operands, all, results: Array(shardings.prefix(attention.inputs)), over: mesh)
    default: return nil
    }
  }
}
