/// Prints graphs as StableHLO text.
///
/// Values are numbered: equal operations on equal operands become one line. Operations that are
/// spelled differently for the target are replaced while printing.
final class Emitter {
  let target: Target
  private var lines: [String] = []
  private var names: [Tensor.ID: String] = [:]
  private var numbered: [Value: [String]] = [:]
  private var lowerings: [ObjectIdentifier: [Tensor]] = [:]
  private var widest: [Scan.Identity: Node] = [:]
  private var counter = 0

  private struct Value: Hashable {
    let operation: AnyHashable
    let operands: [String]
  }

  init(_ target: Target) { self.target = target }

  /// A whole module whose `@main` takes the parameters and returns the results.
  ///
  /// - Parameters:
  ///   - aliases: for each parameter that is donated, the result that may take its place, or nil
  ///     where any may.
  ///   - shardings: how parameters and results are split over the target's mesh.
  static func module(
    _ function: Subgraph, aliases: [Int: Int?],
    shardings: (parameters: [Sharding], results: [Sharding]), target: Target
  ) -> String {
    let emitter = Emitter(target)
    let isSharded = target.mesh != nil
    func attributes(_ list: [String?]) -> String {
      let present = list.compactMap(\.self)
      return present.isEmpty ? "" : " {\(present.joined(separator: ", "))}"
    }
    func sharding(_ list: [Sharding], _ i: Int, _ tensor: Tensor) -> String? {
      isSharded ? "sdy.sharding = \(list[i].text(rank: tensor.rank))" : nil
    }
    let arguments = function.parameters.enumerated().map { i, parameter in
      emitter.names[parameter.id] = "%arg\(i)"
      let alias: String? =
        switch aliases[i] {
        case nil: nil
        case .some(nil): "jax.buffer_donor = true"
        case .some(.some(let result)): "tf.aliasing_output = \(result) : i32"
        }
      let all = attributes([alias, sharding(shardings.parameters, i, parameter)])
      return "%arg\(i): \(parameter.type.text)\(all)"
    }
    let results = emitter.emit(function.results)
    let types = function.results.map(\.type.text).joined(separator: ", ")
    let outputs = function.results.enumerated().map { i, result in
      result.type.text + attributes([sharding(shardings.results, i, result)])
    }
    return """
      module @twinflow {\(target.mesh.map { "\n  " + $0.text } ?? "")
        func.func public @main(\(arguments.joined(separator: ", "))) -> (\(outputs.joined(separator: ", "))) {
      \(emitter.lines.joined(separator: "\n"))
          return \(results.joined(separator: ", ")) : \(types)
        }
      }

      """
  }

  /// The text of a region that computes a function of its own arguments.
  func region(
    _ function: Subgraph, target: Target? = nil, terminator: String = "stablehlo.return"
  ) -> String {
    let inner = Emitter(target ?? self.target)
    counter += 1
    let prefix = "r\(namePrefix.dropFirst())\(counter)_"
    inner.namePrefix = prefix
    let arguments = function.parameters.enumerated().map { i, parameter in
      inner.names[parameter.id] = "%\(prefix)a\(i)"
      return "%\(prefix)a\(i): \(parameter.type.text)"
    }
    let results = inner.emit(function.results)
    let types = function.results.map(\.type.text).joined(separator: ", ")
    return """
      {
      ^bb0(\(arguments.joined(separator: ", "))):
      \(inner.lines.joined(separator: "\n"))
          "\(terminator)"(\(results.joined(separator: ", "))) : (\(types)) -> ()
        }
      """
  }

  private var namePrefix = ""

  /// Prints what the tensors need and returns their names.
  private func emit(_ tensors: [Tensor]) -> [String] {
    findWidestScans(tensors)
    var stack: [(node: Node, ready: Bool)] = tensors.reversed().map { ($0.node, false) }
    while let (node, ready) = stack.popLast() {
      if names[Tensor.ID(node: ObjectIdentifier(node), index: 0)] != nil { continue }
      let needed = replacement(for: node) ?? node.operands
      if ready {
        print(node)
      } else {
        stack.append((node, true))
        for tensor in needed.reversed() where names[tensor.id] == nil {
          stack.append((tensor.node, false))
        }
      }
    }
    return tensors.map { names[$0.id]! }
  }

  /// What stands in for a node's results, nil when the node is printed itself.
  private func replacement(for node: Node) -> [Tensor]? {
    let id = ObjectIdentifier(node)
    if let known = lowerings[id] { return known }
    if let scan = node.operation as? Scan, scan.body == scan.origin,
      let wide = widest[scan.identity(node)], wide !== node
    {
      lowerings[id] = Array(wide.tensors.prefix(node.results.count))
    } else if let lowered = node.operation.lowered(node.operands, for: target) {
      precondition(
        lowered.map(\.type) == node.results, "\(node.operation.opcode) was lowered to other types")
      lowerings[id] = lowered
    }
    return lowerings[id]
  }

  /// A loop that differentiation extended by what its gradient needs stands in for the loop itself.
  private func findWidestScans(_ tensors: [Tensor]) {
    for node in Graph.nodes(reaching: tensors) {
      guard let scan = node.operation as? Scan else { continue }
      let identity = scan.identity(node)
      if let other = widest[identity], other.results.count >= node.results.count { continue }
      widest[identity] = node
    }
  }

  private func print(_ node: Node) {
    let id = ObjectIdentifier(node)
    if let stands = lowerings[id] {
      for (i, tensor) in stands.enumerated() { names[.init(node: id, index: i)] = names[tensor.id] }
      return
    }
    precondition(
      !(node.operation is Parameter), "a value of another trace is used, of type \(node.results)")
    let operands = node.operands.map { names[$0.id]! }
    let value = Value(operation: AnyHashable(node.operation), operands: operands)
    let results: [String]
    if let known = numbered[value] {
      results = known
    } else {
      counter += 1
      let name = "%\(namePrefix)\(counter)"
      lines.append(line(node, name, operands))
      results = node.results.count == 1 ? [name] : node.results.indices.map { "\(name)#\($0)" }
      numbered[value] = results
    }
    for (i, result) in results.enumerated() { names[.init(node: id, index: i)] = result }
  }

  private func line(_ node: Node, _ name: String, _ operands: [String]) -> String {
    let operation = node.operation
    let types = node.operands.map(\.type)
    let regions = operation.regions(types, self)
    let count = node.results.count == 1 ? "" : ":\(node.results.count)"
    let body = regions.isEmpty ? "" : " (" + regions.joined(separator: ", ") + ")"
    let text = operation.attributes(types, node.results)
    let attributes = text.isEmpty ? "" : " {\(text)}"
    let ins = types.map(\.text).joined(separator: ", ")
    let outs = node.results.map(\.text).joined(separator: ", ")
    return "    \(name)\(count) = \"\(operation.opcode)\"(\(operands.joined(separator: ", ")))"
      + "\(body)\(attributes) : (\(ins)) -> (\(outs))"
  }
}
