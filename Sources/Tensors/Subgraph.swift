/// A part of a graph as a function of parameters: the body of a loop or of a checkpoint.
///
/// Two subgraphs are equal when they are the same object.
final class Subgraph: Hashable, Sendable {
  let parameters: [Tensor]
  let results: [Tensor]

  init(_ parameters: [Tensor], _ results: [Tensor]) {
    self.parameters = parameters
    self.results = results
  }

  static func == (a: Subgraph, b: Subgraph) -> Bool { a === b }
  func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }

  /// Traces a function of fresh parameters. What its body takes from outside becomes further
  /// parameters after the given ones; their values are returned as `captured`.
  static func trace(
    _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]
  ) -> (Subgraph, captured: [Tensor]) {
    let parameters = types.map { Tensor.parameter($0) }
    return close(parameters, over: body(parameters))
  }

  /// Makes every value that the results use and that does not depend on the parameters a parameter
  /// of its own; constants are left inside.
  static func close(
    _ parameters: [Tensor], over results: [Tensor]
  ) -> (Subgraph, captured: [Tensor]) {
    let order = Graph.nodes(reaching: results)
    let own = Set(parameters.map { ObjectIdentifier($0.node) })
    var inside: Set<ObjectIdentifier> = []
    for node in order {
      let id = ObjectIdentifier(node)
      if own.contains(id) || node.operands.contains(where: { inside.contains($0.id.node) }) {
        inside.insert(id)
      }
    }
    var captured: [Tensor] = []
    var replacements: [Tensor.ID: Tensor] = [:]
    func capture(_ tensor: Tensor) {
      guard !inside.contains(tensor.id.node), replacements[tensor.id] == nil,
        !tensor.isConstant
      else { return }
      captured.append(tensor)
      replacements[tensor.id] = .parameter(tensor.type)
    }
    for node in order where inside.contains(ObjectIdentifier(node)) {
      node.operands.forEach(capture)
    }
    results.forEach(capture)
    let lifted = captured.map { replacements[$0.id]! }
    let closed = Graph.substitute(results, replacements)
    return (Subgraph(parameters + lifted, closed), captured)
  }

  /// The results with the parameters replaced by arguments.
  func callAsFunction(_ arguments: [Tensor]) -> [Tensor] {
    precondition(arguments.count == parameters.count, "a subgraph got a wrong argument count")
    var replacements: [Tensor.ID: Tensor] = [:]
    for (parameter, argument) in zip(parameters, arguments) {
      precondition(
        parameter.type == argument.type,
        "a loop's value changed its type from \(parameter.type) to \(argument.type)")
      replacements[parameter.id] = argument
    }
    return Graph.substitute(results, replacements)
  }
}

/// Walks over graphs; none of them recurses.
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

  /// The first of all nodes that do the same to the same, in the order given.
  ///
  /// - Parameters:
  ///   - nodes: nodes, operands before their users.
  ///   - kept: tensors whose nodes stand for themselves alone.
  /// - Returns: the nodes, and for each tensor of `nodes` the equal one among theirs.
  static func distinct(
    _ nodes: [Node], keeping kept: Set<Tensor.ID>
  ) -> (nodes: [Node], equal: (Tensor) -> Tensor) {
    struct Value: Hashable {
      let operation: AnyHashable
      let operands: [Tensor.ID]
    }
    var first: [Value: Node] = [:]
    var equals: [ObjectIdentifier: Node] = [:]
    func equal(_ tensor: Tensor) -> Tensor {
      equals[tensor.id.node].map { Tensor(node: $0, index: tensor.index) } ?? tensor
    }
    var distinct: [Node] = []
    for node in nodes {
      let isKept = node.operation is Parameter || node.tensors.contains { kept.contains($0.id) }
      let value = Value(
        operation: AnyHashable(node.operation), operands: node.operands.map { equal($0).id })
      if !isKept, let other = first[value] {
        equals[ObjectIdentifier(node)] = other
      } else {
        if !isKept { first[value] = node }
        distinct.append(node)
      }
    }
    return (distinct, equal)
  }

  /// The tensors with some others replaced throughout; what does not depend on those is shared.
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
