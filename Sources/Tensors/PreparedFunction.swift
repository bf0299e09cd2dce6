/// A function of weights and inputs in two steps: what is rearranged or converted of the weights alone,
/// such as the transposition of a convolution's kernel, and the rest.
///
/// The first step runs once, the second for every input.
public struct PreparedFunction {
  /// The types of the prepared weights, the same for inputs of all shapes.
  public var preparedTypes: Named<TensorType> { named(prepared).mapValues(\.type) }

  private let weights: Named<Tensor>
  private let inputs: Named<Tensor>
  private let results: Named<Tensor>
  /// What the second step takes from the first.
  private let prepared: [Tensor]

  /// Traces a function.
  ///
  /// - Parameter body: from weights and inputs to results.
  public init(
    weights: Named<TensorType>, inputs: Named<TensorType>,
    _ body: (_ weights: Named<Tensor>, _ inputs: Named<Tensor>) throws -> Named<Tensor>
  ) rethrows {
    self.weights = weights.mapValues { .parameter($0) }
    self.inputs = inputs.mapValues { .parameter($0) }
    results = try body(self.weights, self.inputs)
    prepared = Self.boundary(of: self.weights.values, results.values)
  }

  /// The first step: the weights as the second step takes them.
  public func prepare(_ weights: Named<Tensor>) -> Named<Tensor> {
    let own = Subgraph(self.weights.values, prepared)
    return named(own(self.weights.names.map { weights[$0]! }))
  }

  /// The second step: the results from prepared weights and inputs.
  public func callAsFunction(
    _ prepared: Named<Tensor>, _ inputs: Named<Tensor>
  ) -> Named<Tensor> {
    let rest = Subgraph(self.prepared + self.inputs.values, results.values)
    let values = rest(
      preparedTypes.names.map { prepared[$0]! } + self.inputs.names.map { inputs[$0]! })
    return Named(zip(results.names, values))
  }

  private func named(_ tensors: [Tensor]) -> Named<Tensor> {
    Named(tensors.enumerated().map { ("\($0)", $1) })
  }

  /// The values that depend on weights only by moves and conversions of elements, and that anything else
  /// uses. A broadcast is repeated, because its result may be as large as an activation.
  private static func boundary(of weights: [Tensor], _ results: [Tensor]) -> [Tensor] {
    var moved = Set(weights.map { ObjectIdentifier($0.node) })
    var boundary: [Tensor] = []
    var found: Set<Tensor.ID> = []
    func use(_ tensor: Tensor) {
      if moved.contains(tensor.id.node), found.insert(tensor.id).inserted {
        boundary.append(tensor)
      }
    }
    for node in Graph.nodes(reaching: results) where !node.operands.isEmpty {
      let isMove =
        switch node.operation {
        case is Reshape, is Transpose, is Convert, is Slice, is Concatenate: true
        default: false
        }
      if isMove, node.operands.allSatisfy({ moved.contains($0.id.node) }) {
        moved.insert(ObjectIdentifier(node))
      } else {
        node.operands.forEach(use)
      }
    }
    results.forEach(use)
    return boundary
  }
}
