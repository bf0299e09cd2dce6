/// Nodes without duplicates: no two apply equal operations to equal operands.
struct DistinctNodes {
  private struct Value: Hashable {
    let operation: AnyHashable
    let operands: [Tensor.ID]
  }

  private var first: [Value: Node] = [:]

  /// The first node with this operation and these operands; a new one if there is none.
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
  /// The nodes without duplicates, in the order given.
  ///
  /// - Parameters:
  ///   - nodes: nodes, operands before their users.
  ///   - kept: tensors whose nodes are never merged with others.
  /// - Returns: the distinct nodes, and a map from each tensor of `nodes` to its equal among
  ///   theirs.
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
