/// Iterative traversals of graphs.
enum Graph {
  /// Every node that the tensors depend on, operands before their users.
  static func nodes(reaching tensors: [Tensor]) -> [Node] {
    var order: [Node] = []
    var seen: Set<ObjectIdentifier> = []
    var stack: [(node: Node, ready: Bool)] = tensors.reversed().map { ($0.node, false) }
    while let (node, ready) = stack.popLast() {
      if ready {
        order.append(node)
      } else if seen.insert(ObjectIdentifier(node)).inserted {
        stack.append((node, true))
        for operand in node.operands.reversed() where !seen.contains(operand.id.node) {
          stack.append((operand.node, false))
        }
      }
    }
    return order
  }

  /// The tensors with replacements substituted everywhere; nodes that depend on none of them are
  /// shared.
  static func substitute(_ tensors: [Tensor], _ replacements: [Tensor.ID: Tensor]) -> [Tensor] {
    guard !replacements.isEmpty else { return tensors }
    var map = replacements
    for node in nodes(reaching: tensors) where node.operands.contains(where: { map[$0.id] != nil })
    {
      let copy = Node(node.operation, node.operands.map { map[$0.id] ?? $0 })
      for tensor in node.tensors where map[tensor.id] == nil {
        map[tensor.id] = Tensor(node: copy, index: tensor.index)
      }
    }
    return tensors.map { map[$0.id] ?? $0 }
  }
}
