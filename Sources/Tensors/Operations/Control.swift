/// An optimization barrier: the compiler moves and fuses nothing across it.
struct Barrier: Operation {
  var opcode: String { "stablehlo.optimization_barrier" }
  func results(_ operands: [TensorType]) -> [TensorType] { operands }
  func pullback(_ at: Application) -> [Tensor?] {
    let there = at.cotangents.indices.filter { at.cotangents[$0] != nil }
    let held = barrier(there.map { at.cotangents[$0]! })
    var result = [Tensor?](repeating: nil, count: at.operands.count)
    for (place, value) in zip(there, held) { result[place] = value }
    return result
  }
}

/// Repeats a body on a state while a condition on the state holds.
struct While: Operation {
  let condition: Subgraph
  let body: Subgraph

  var opcode: String { "stablehlo.while" }
  func results(_ operands: [TensorType]) -> [TensorType] {
    precondition(
      body.parameters.map(\.type) == operands && body.results.map(\.type) == operands
        && condition.results.map(\.type) == [TensorType([], .bool)],
      "a loop's body must return its state's types")
    return operands
  }
  func regions(_ operands: [TensorType], _ emitter: Emitter) -> [String] {
    [emitter.region(condition), emitter.region(body)]
  }
  func pullback(_ at: Application) -> [Tensor?] {
    preconditionFailure("a loop with a condition has no gradient; use scan")
  }
}

/// A subgraph whose inner values are recomputed for the gradient instead of stored.
struct Checkpoint: Operation {
  let body: Subgraph

  var opcode: String { "checkpoint" }
  func results(_ operands: [TensorType]) -> [TensorType] { body.results.map(\.type) }
  func plain(_ operands: [Tensor]) -> [Tensor]? { body(operands) }
  func pullback(_ at: Application) -> [Tensor?] {
    // The barrier ties the recomputation to the cotangents, so that it does not run earlier.
    let there = at.cotangents.indices.filter { at.cotangents[$0] != nil }
    let held = barrier(at.operands + there.map { at.cotangents[$0]! })
    let operands = Array(held.prefix(at.operands.count))
    let results = body(operands)
    return Tensors.pullback(
      there.map { results[$0] }, Array(held.suffix(there.count)), to: operands)
  }
}

/// The values behind an optimization barrier: all are computed before any use.
public func barrier(_ tensors: [Tensor]) -> [Tensor] {
  tensors.isEmpty ? [] : Node(Barrier(), tensors).tensors
}

extension Tensor {
  /// This value behind an optimization barrier: it is computed before any use.
  public func barrier() -> Tensor { Tensors.barrier([self])[0] }
}

/// The body's results; its inner values are recomputed for the gradient instead of stored.
///
/// Tensors that the body captures get gradients too.
public func checkpoint(_ inputs: [Tensor], _ body: ([Tensor]) -> [Tensor]) -> [Tensor] {
  let (subgraph, captured) = Subgraph.trace(inputs.map(\.type), body)
  return Node(Checkpoint(body: subgraph), inputs + captured).tensors
}

/// Repeats a body while a condition holds; not differentiable.
public func loop(
  _ state: [Tensor], while condition: ([Tensor]) -> Tensor, _ body: ([Tensor]) -> [Tensor]
) -> [Tensor] {
  let types = state.map(\.type)
  let parameters = types.map { Tensor.parameter($0) }
  // Both regions must take the same state, so both are closed over the captures of either.
  let bodyResults = body(parameters)
  let (both, captured) = Subgraph.close(parameters, over: bodyResults + [condition(parameters)])
  let kept = Array(both.parameters.suffix(captured.count))
  let step = Subgraph(both.parameters, Array(both.results.dropLast()) + kept)
  let test = Subgraph(both.parameters, [both.results.last!])
  let node = Node(While(condition: test, body: step), state + captured)
  return Array(node.tensors.prefix(state.count))
}
