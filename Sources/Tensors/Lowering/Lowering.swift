/// What a kind of device, or a mesh of devices, wants computed in place of operations.
protocol Lowering: Sendable {
  /// What stands in for an operation on operands; nil leaves it to the lowerings that follow, and
  /// after the last one to the operation's plain form.
  func replacement(for operation: any Operation, _ operands: [Tensor]) -> [Tensor]?
}

extension Target {
  /// Those that are asked, in this order.
  var lowerings: [any Lowering] {
    var all: [any Lowering] = [MeshLowering(mesh: mesh)]
    switch platform {
    case .cpu:
      // The partitioner would have to see into kernels.
      all.append(CPULowering(kernels: mesh == nil ? kernels : [], isPlan: isPlan))
    case .cuda: if mesh == nil { all.append(CUDALowering()) }
    case .other: break
    }
    return all
  }
}
