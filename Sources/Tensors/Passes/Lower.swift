/// A function of operations that can be printed: StableHLO operations and calls.
struct LoweredFunction {
  /// Every operation once, operands before their users.
  let nodes: [Node]
  /// The results, each of one of the nodes.
  let results: [Tensor]
}

/// Replaces operations by their implementations for a target.
///
/// Loops are merged. Then each operation is replaced by the first of the target's lowerings that
/// supports it, otherwise by its plain form; replacements are lowered in turn. Equal operations on
/// equal operands become one.
struct LoweringPass {
  let target: Target
  private let lowerings: [any Lowering]

  init(_ target: Target) {
    self.target = target
    lowerings = target.lowerings
  }

  /// The pass for computations of each device of a mesh on its own shards.
  var local: LoweringPass {
    var target = target
    target.mesh = nil
    return LoweringPass(target)
  }

  /// Lowers a function. Regions of its operations are lowered when they are printed.
  func callAsFunction(_ function: Subgraph) -> LoweredFunction {
    let scans = MergedScans(Graph.nodes(reaching: function.results))
    var replacements: [ObjectIdentifier: [Tensor]?] = [:]
    func replacement(for node: Node) -> [Tensor]? {
      let id = ObjectIdentifier(node)
      if let known = replacements[id] { return known }
      let found = scans.replacement(for: node) ?? standIn(for: node)
      replacements.updateValue(found, forKey: id)
      return found
    }

    /// The lowered tensor of each result.
    var lowered: [Tensor.ID: Tensor] = [:]
    var nodes: [Node] = []
    var distinct = DistinctNodes()
    for parameter in function.parameters { lowered[parameter.id] = parameter }
    var stack: [(node: Node, ready: Bool)] = function.results.reversed().map { ($0.node, false) }
    while let (node, ready) = stack.popLast() {
      if lowered[Tensor.ID(node: ObjectIdentifier(node), index: 0)] != nil { continue }
      let standIn = replacement(for: node)
      let needed = standIn ?? node.operands
      guard ready else {
        stack.append((node, true))
        for tensor in needed.reversed() where lowered[tensor.id] == nil {
          stack.append((tensor.node, false))
        }
        continue
      }
      let operands = needed.map { lowered[$0.id]! }
      if standIn != nil {
        for (tensor, value) in zip(node.tensors, operands) { lowered[tensor.id] = value }
        continue
      }
      precondition(
        !(node.operation is Parameter), "a value of another trace was used, of type \(node.results)"
      )
      let (own, isNew) = distinct.enter(node.operation, operands) {
        let isSame = zip(operands, node.operands).allSatisfy { $0.id == $1.id }
        return isSame ? node : Node(node.operation, operands)
      }
      if isNew { nodes.append(own) }
      for (tensor, value) in zip(node.tensors, own.tensors) { lowered[tensor.id] = value }
    }
    return LoweredFunction(nodes: nodes, results: function.results.map { lowered[$0.id]! })
  }

  /// The replacement of a node's results, nil where the node is printed itself.
  private func standIn(for node: Node) -> [Tensor]? {
    for lowering in lowerings {
      if let found = lowering.replacement(for: node.operation, node.operands) {
        return checked(found, node)
      }
    }
    return node.operation.plain(node.operands).map { checked($0, node) }
  }

  private func checked(_ standIn: [Tensor], _ node: Node) -> [Tensor] {
    precondition(
      standIn.map(\.type) == node.results, "\(node.operation.opcode) was lowered to other types")
    return standIn
  }
}
