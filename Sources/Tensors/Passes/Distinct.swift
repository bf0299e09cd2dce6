/// Nodes of which no two do the same to the same.
struct DistinctNodes {
  private struct Value: Hashable {
    let operation: AnyHashable
    let operands: [Tensor.ID]
  }

  private var first: [Value: Node] = [:]

  /// The node that was entered first with this operation and these operands; the one given if there
  /// was none.
  mutating func enter(
    _ operation: any Operation, _ operands: [Tensor], _ node: () -> Node
  ) -> (node: Node, isNew: Bool) {
    let value = Value(operation: AnyHashable(operation), operands: operands.map(\.id))
    if let known = first[value] { return (known, false) }
    let new = node()
    first[value] = new
    return (new, true)
  }
}

extension Graph {
  /// The first of all nodes that do the same to the same, in the order given.
  ///
  /// - Parameters:
  ///   - nodes: nodes, operands before their users.
  ///   - kept: tensors whose nodes stand for themselves alone.
  /// - Returns: the nodes, and for each tensor of `nodes` the equal one among theirs.
  static func distinct(
    _ nodes: [Node], keeping kept: Set<Tensor.ID>
  ) -> (nodes: [Node], equal: (Tensor) -> Tensor) {
    var entered = DistinctNodes()
    var equals: [ObjectIdentifier: Node] = [:]
    func equal(_ tensor: Tensor) -> Tensor {
      equals[tensor.id.node].map { Tensor(node: $0, index: tensor.index) } ?? tensor
    }
    var distinct: [Node] = []
    for node in nodes {
      let isKept = node.operation is Parameter || node.tensors.contains { kept.contains($0.id) }
      let (first, isNew) =
        isKept ? (node, true) : entered.enter(node.operation, node.operands.map(equal)) { node }
      if isNew {
        distinct.append(node)
      } else {
        equals[ObjectIdentifier(node)] = first
      }
    }
    return (distinct, equal)
  }
}
