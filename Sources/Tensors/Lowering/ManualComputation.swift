/// A region that each device runs on its own shards of the operands and that the partitioner does
/// not look into.
struct ManualComputation: Operation {
  /// The computation of one device, from shards of the operands to shards of the results.
  let body: Subgraph
  let operandShardings: [Sharding]
  let resultShardings: [Sharding]
  let types: [TensorType]

  var opcode: String { "sdy.manual_computation" }

  func results(_ operands: [TensorType]) -> [TensorType] { types }

  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String] {
    [emitter.region(body, isLocal: true, terminator: "sdy.return")]
  }

  func attributes(_ operands: [TensorType], _ results: [TensorType]) -> String {
    let text = { (shardings: [Sharding], types: [TensorType]) in
      let list = zip(shardings, types).map { $0.text(rank: $1.shape.rank, attribute: false) }
      return "#sdy.sharding_per_value<[\(list.joined(separator: ", "))]>"
    }
    let axes = Mesh.Axis.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: ", ")
    return "in_shardings = \(text(operandShardings, operands)), "
      + "manual_axes = #sdy<manual_axes{\(axes)}>, "
      + "out_shardings = \(text(resultShardings, results))"
  }

  /// Shards an operation over a mesh; nil where an operand cannot be divided evenly.
  ///
  /// - Parameter operation: is applied to the shards' types; equal types must give equal results.
  static func results(
    of operation: any Operation, _ operands: [Tensor], _ operandShardings: [Sharding],
    results resultShardings: [Sharding], over mesh: Mesh
  ) -> [Tensor]? {
    let types = operation.results(operands.map(\.type))
    let all = zip(operands.map(\.type) + types, operandShardings + resultShardings)
    guard all.allSatisfy({ $1.misfit($0.shape, mesh) == nil }) else { return nil }
    let shards = zip(operands, operandShardings).map { operand, sharding in
      TensorType(sharding.local(operand.shape, mesh), operand.dtype)
    }
    let (body, captured) = Subgraph.trace(shards) { Node(operation, $0).tensors }
    precondition(captured.isEmpty && body.results.count == types.count)
    let manual = ManualComputation(
      body: body, operandShardings: operandShardings, resultShardings: resultShardings,
      types: types)
    return Node(manual, operands).tensors
  }
}
