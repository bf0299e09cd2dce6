/// Replacements of operations for a kind of device or for a mesh of devices.
protocol Lowering: Sendable {
  /// The replacement of an operation's results; nil leaves it to the next lowering, and after the
  /// last one to the operation's plain form.
  func replacement(for operation: any Operation, _ operands: [Tensor]) -> [Tensor]?
}

extension Target {
  /// The lowerings, in the order in which they are tried.
  var lowerings: [any Lowering] {
    var all: [any Lowering] = [MeshLowering(mesh: mesh)]
    switch platform {
    case .cpu:
      // The partitioner cannot split kernels.
      all.append(CPULowering(kernels: mesh == nil ? kernels : [], isPlan: isPlan))
    case .cuda: if mesh == nil { all.append(CUDALowering()) }
    case .other: break
    }
    return all
  }
}
