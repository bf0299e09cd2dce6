/// A part of the program that each device does on its own parts of the operands, without the
/// partitioner seeing into it.
struct ManualComputation: Operation {
  /// What one device does: from parts of the operands to parts of the results.
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

  /// Splits an operation over a mesh, nil where some operand does not divide.
  ///
  /// - Parameter operation: is given the types of its parts; equal ones must give equal results.
  static func results(
    of operation: any Operation, _ operands: [Tensor], _ operandShardings: [Sharding],
    results resultShardings: [Sharding], over mesh: Mesh
  ) -> [Tensor]? {
    let types = operation.results(operands.map(\.type))
    let all = zip(operands.map(\.type) + types, operandShardings + resultShardings)
    guard all.allSatisfy({ $1.misfit($0.shape, mesh) == nil }) else { return nil }
    let parts = zip(operands, operandShardings).map { operand, sharding in
      TensorType(sharding.local(operand.shape, mesh), operand.dtype)
    }
    let (body, captured) = Subgraph.trace(parts) { Node(operation, $0).tensors }
    precondition(captured.isEmpty && body.results.count == types.count)
    let manual = ManualComputation(
      body: body, operandShardings: operandShardings, resultShardings: resultShardings,
      types: types)
    return Node(manual, operands).tensors
  }
}
