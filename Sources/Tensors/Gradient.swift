/// The gradients of a scalar with respect to other tensors, by reverse-mode differentiation.
///
/// - Returns: one tensor of the same type for each of `sources`; zeros where the scalar does not
///   depend on it.
public func gradients(of scalar: Tensor, for sources: [Tensor]) -> [Tensor] {
  precondition(
    scalar.rank == 0 && scalar.dtype.isFloat, "only a scalar has gradients, not \(scalar.type)")
  let one = Tensor.constant(1, scalar.dtype)
  let found = pullback([scalar], [one], to: sources)
  return zip(found, sources).map { $0 ?? .zeros($1.shape, $1.dtype) }
}

extension Tensor {
  /// The gradients of this scalar with respect to other tensors.
  public func gradients(for sources: [Tensor]) -> [Tensor] {
    Tensors.gradients(of: self, for: sources)
  }

  /// The gradients of this scalar with respect to named tensors, under the same names.
  public func gradients(for sources: Named<Tensor>) -> Named<Tensor> {
    let values = gradients(for: sources.values)
    return Named(zip(sources.names, values))
  }
}

/// The vector-Jacobian product: the cotangents of `sources` for cotangents of `results`.
///
/// - Returns: for each source its cotangent, or nil where no result depends on it.
func pullback(
  _ results: [Tensor], _ cotangents: [Tensor?], to sources: [Tensor]
) -> [Tensor?] {
  let wanted = Set(sources.map(\.id))
  // Equal operations on equal operands are differentiated once, with their summed cotangents.
  let (order, equals) = Graph.distinct(Graph.nodes(reaching: results), keeping: wanted)
  var depends: Set<Tensor.ID> = wanted
  for node in order where node.operands.contains(where: { depends.contains(equals($0).id) }) {
    for tensor in node.tensors { depends.insert(tensor.id) }
  }

  var found: [Tensor.ID: Tensor] = [:]
  func add(_ cotangent: Tensor, to operand: Tensor) {
    let tensor = equals(operand)
    guard depends.contains(tensor.id) else { return }
    precondition(
      cotangent.type == tensor.type,
      "\(tensor.node.operation.opcode) of type \(tensor.type) got a cotangent \(cotangent.type)")
    found[tensor.id] = found[tensor.id].map { $0 + cotangent } ?? cotangent
  }
  for (result, cotangent) in zip(results, cotangents) {
    if let cotangent { add(cotangent, to: result) }
  }

  for node in order.reversed() {
    let results = node.tensors
    guard
      node.operands.contains(where: { depends.contains(equals($0).id) && $0.dtype.isFloat })
    else { continue }
    let cotangents = results.map { found[$0.id] }
    guard cotangents.contains(where: { $0 != nil }) else { continue }
    let application = Application(
      operands: node.operands, results: results, cotangents: cotangents)
    let incoming = node.operation.pullback(application)
    precondition(
      incoming.count == node.operands.count,
      "\(node.operation.opcode) has \(node.operands.count) operands, \(incoming.count) cotangents")
    for (operand, cotangent) in zip(node.operands, incoming) {
      if let cotangent { add(cotangent, to: operand) }
    }
    for result in results where !wanted.contains(result.id) { found[result.id] = nil }
  }
  return sources.map { found[$0.id] }
}

extension Tensor {
  /// Whether this tensor is computed from another one.
  public func depends(on other: Tensor) -> Bool {
    id == other.id
      || Graph.nodes(reaching: [self]).contains { node in
        node.tensors.contains { $0.id == other.id }
      }
  }

  /// Whether a gradient of this scalar reaches another tensor.
  public func hasGradient(for other: Tensor) -> Bool {
    pullback([self], [.constant(1, dtype)], to: [other])[0] != nil
  }
}

/// The Jacobian-vector product: how results change with the first order along tangents of sources.
///
/// The pullback is linear in its cotangents, so its own pullback is the pushforward. What the first one
/// computes of the cotangents themselves is not part of the result, and of the program neither.
///
/// - Parameters:
///   - results: what changes.
///   - sources: what they are computed from; the sources do not depend on one another.
///   - tangents: the direction of each source, of its type.
/// - Returns: one tensor of the same type for each of the results; zeros where it does not depend on the
///   sources.
public func pushforward(
  of results: [Tensor], for sources: [Tensor], along tangents: [Tensor]
) -> [Tensor] {
  precondition(
    sources.map(\.type) == tangents.map(\.type),
    "tangents \(tangents.map(\.type)) are not of the sources' types \(sources.map(\.type))")
  let cotangents = results.map { Tensor.parameter($0.type) }
  let back = pullback(results, cotangents, to: sources)
  let reached = back.indices.filter { back[$0] != nil }
  let found = pullback(reached.map { back[$0]! }, reached.map { tangents[$0] }, to: cotangents)
  // A barrier may still hold the cotangents, whose values do not matter.
  let zeros = Dictionary(
    uniqueKeysWithValues: zip(cotangents, results).map { ($0.id, $1.zerosLike) })
  return Graph.substitute(
    zip(found, results).map { $0 ?? $1.zerosLike }, zeros)
}
