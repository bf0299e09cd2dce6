import Tensors

/// How a stack is run.
public enum StackExecution: String, Codable, Sendable, Hashable, CaseIterable {
  /// Every layer is part of the program, with a barrier after it: fastest to run.
  case unrolled
  /// One loop over the layers: fastest to compile.
  case scanned
  /// One loop that keeps only its states and computes each layer again for the gradient.
  case recomputed
}

/// Equal layers one after the other, whose weights are stored together with a leading axis.
public struct Stack<Layer> {
  /// The number of layers.
  public let count: Int
  private let weights: Named<Tensor>
  private let execution: StackExecution
  private let scope: Scope
  private let build: (Scope) -> Layer

  /// Makes a stack of `count` layers that a closure builds.
  public init(
    _ scope: Scope, count: Int, execution: StackExecution = .unrolled,
    _ build: @escaping (Scope) -> Layer
  ) {
    self.count = count
    self.execution = execution
    self.scope = scope
    self.build = build
    weights = scope.stacked(count: count, build)
  }

  /// Runs a value through all layers.
  public func callAsFunction(_ x: Tensor, _ apply: (Layer, Tensor) -> Tensor) -> Tensor {
    switch execution {
    case .unrolled:
      let parts = weights.values.map { $0.unstack() }
      return (0..<count).reduce(x) { x, i in
        let own = Named(zip(weights.names, parts.map { $0[i] }))
        return apply(build(scope.part(own)), x).barrier()
      }
    case .scanned, .recomputed:
      return scan([x], weights.values, recomputed: execution == .recomputed) { state, values in
        let own = Named(zip(weights.names, values))
        return ([apply(build(scope.part(own)), state[0])], [])
      }.carry[0]
    }
  }
}
