import Foundation
import Runtime
import Tensors

/// A comparison of operations and their gradients on a device with their plain form on the CPU in
/// f64.
struct OperationsCheck {
  private let device: Engine
  private let reference: Engine

  /// - Throws: `PJRTError` where there is no plugin for the CPU.
  init(on device: Engine) throws {
    self.device = device
    reference = try Engine(kernels: false)
  }

  /// The largest difference of one result.
  private struct Difference {
    let title: String
    let relative: Double
    let passes: Bool
  }

  /// Prints a table.
  ///
  /// - Returns: whether all differences are small enough.
  func run() -> Bool {
    // In sequence: recording cuDNN's calls fails while another thread compiles.
    let passed = OperationCase.all.count { some in
      Self.report(some, Result { try differences(of: some) })
    }
    print("\(passed) of \(OperationCase.all.count) operations agree")
    return passed == OperationCase.all.count
  }

  /// Prints the lines of a case.
  ///
  /// - Returns: whether its differences are small enough.
  private static func report(
    _ some: OperationCase, _ result: Result<[Difference], any Error>
  ) -> Bool {
    switch result {
    case .success(let differences):
      for each in differences {
        let title = each.title.padding(toLength: 60, withPad: " ", startingAt: 0)
        print(title + String(format: "%10.1e", each.relative) + (each.passes ? "" : "  too far"))
      }
      return differences.allSatisfy(\.passes)
    case .failure(let error):
      let lines = "\(error)".split(whereSeparator: \.isNewline)
      print("\(some.name)  FAILED  \(lines.joined(separator: " "))")
      return false
    }
  }

  private func differences(of some: OperationCase) throws -> [Difference] {
    let exact: DType = some.isRandom ? .float32 : .float64
    let expected = try results(
      of: some, in: exact, on: reference, target: Target(reference.client))
    let found = try results(
      of: some, in: some.dtype, on: device, mesh: some.mesh,
      target: Target(device.client, mesh: some.mesh))
    return expected.pairs.map { name, a in
      let b = found[name]!
      let scale = max(a.map { abs($0) }.max() ?? 0, 1e-20)
      let worst = (zip(a, b).map { abs($0 - $1) }.max() ?? 0) / scale
      return Difference(
        title: "\(some.name), \(name)", relative: Double(worst),
        passes: Double(worst) <= some.tolerance && b.allSatisfy(\.isFinite))
    }
  }

  /// The value and the gradients with respect to all inputs, which both element types hold exactly.
  private func results(
    of some: OperationCase, in dtype: DType, on engine: Engine, mesh: Mesh? = nil, target: Target
  ) throws -> Named<[Float]> {
    let types = Named(
      some.inputs.enumerated().map { ("input \($0)", TensorType($1, .float32)) })
    let function = try CompiledFunction(
      engine.client, cache: engine.cache, mesh: mesh, types, target: target
    ) { arguments in
      let inputs = arguments.values.map { $0.cast(to: some.dtype).cast(to: dtype) }
      let y = some.body(inputs)
      let weights = Tensor.iota([y.shape.count], y.dtype.isWide ? y.dtype : .float32).sin()
        .cast(to: y.dtype).reshape(y.shape)
      let gradients = (y * weights).cast(to: y.dtype.isWide ? y.dtype : .float32).sum()
        .gradients(for: inputs)
      return Named(
        [("value", y.cast(to: .float32))]
          + zip(types.names, gradients).map { ("by \($0)", $1.cast(to: .float32)) })
    }
    let arguments = try some.inputs.enumerated().map { index, shape in
      let values = (0..<shape.count).map { Float(sin(Double($0 * (2 * index + 7) % 1013))) }
      return (
        "input \(index)", try ShardedArray(values, shape: shape, over: mesh, on: engine.client)
      )
    }
    return try function(Named(arguments)).mapValues { try $0.array(of: Float.self) }
  }
}

extension DType {
  /// Whether it has at least 32 bits.
  fileprivate var isWide: Bool { self == .float32 || self == .float64 }
}
