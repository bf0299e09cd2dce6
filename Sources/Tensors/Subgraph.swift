/// A subgraph as a function of parameters: the body of a loop or of a checkpoint.
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

  /// Traces a function of fresh parameters. Values that its body captures become further parameters
  /// after the given ones, and are returned as `captured`.
  static func trace(
    _ types: [TensorType], _ body: ([Tensor]) -> [Tensor]
  ) -> (Subgraph, captured: [Tensor]) {
    let parameters = types.map { Tensor.parameter($0) }
    return close(parameters, over: body(parameters))
  }

  /// Turns every value that the results use and that does not depend on the parameters into a
  /// parameter; constants stay inside.
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
    precondition(
      arguments.count == parameters.count, "a subgraph got the wrong number of arguments")
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
