/// A loop of fixed length over the first axes of its inputs, with a carried state.
///
/// Operands: the carried values, the inputs with a leading axis, the captured values. Round i takes
/// element `start + i` of an input. Results: the last carried values, then the body's outputs
/// with a leading axis.
struct Scan: Operation {
  let body: Subgraph
  let carried: Int
  let inputs: Int
  /// The element of each input that the first round takes.
  let starts: [Int]
  let length: Int
  let reversed: Bool
  let recomputed: Bool
  /// The body of the loop that this one extends for a gradient, else its own body.
  let origin: Subgraph

  var opcode: String { "scan" }

  /// The identity that a loop shares with its versions with further results.
  struct Identity: Hashable {
    let origin: Subgraph
    let operands: [Tensor.ID]
  }

  func identity(_ node: Node) -> Identity {
    Identity(origin: origin, operands: node.operands.map(\.id))
  }

  func results(_ operands: [TensorType]) -> [TensorType] {
    body.results.enumerated().map { i, result in
      i < carried ? result.type : TensorType(Shape([length] + result.shape.sizes), result.dtype)
    }
  }

  func plain(_ operands: [Tensor]) -> [Tensor]? {
    let outputs = body.results.dropFirst(carried).map { result in
      Tensor.zeros(Shape([length] + result.shape.sizes), result.dtype)
    }
    let state = [Tensor.constant(0.0, .int32)] + operands.prefix(carried) + outputs
    let (sources, captured) = (
      Array(operands[carried..<carried + inputs]), Array(operands[(carried + inputs)...])
    )
    let end = loop(state) { state in
      state[0].less(.constant(Double(length), .int32))
    } _: { state in
      let row = reversed ? Double(length - 1) - state[0] : state[0]
      let values = Array(state[1..<1 + carried])
      let elements = zip(sources, starts).map { $0.at($1 == 0 ? row : row + Double($1)) }
      let results = body(values + elements + captured)
      let written = zip(state[(1 + carried)...], results[carried...]).map {
        $0.updating(row, with: $1)
      }
      return [state[0] + 1] + results[..<carried] + written
    }
    return Array(end.dropFirst())
  }

  func pullback(_ at: Application) -> [Tensor?] {
    let captured = at.operands.count - carried - inputs
    let floats = body.parameters.indices.filter { body.parameters[$0].dtype.isFloat }
    let outputs = body.results.indices.filter { body.results[$0].dtype.isFloat }

    // The gradient of one round, in terms of the body's own parameters and values.
    let cotangents = outputs.map { Tensor.parameter(body.results[$0].type) }
    let gradients = Tensors.pullback(
      outputs.map { body.results[$0] }, cotangents, to: floats.map { body.parameters[$0] })
    let roundCotangents = zip(floats, gradients).map { $1 ?? body.parameters[$0].zerosLike }

    // The values of the forward round that the gradient uses are stored; or only the carried ones,
    // from which the round is recomputed.
    var forward = Set(Graph.nodes(reaching: body.results).map(ObjectIdentifier.init))
    let parameterIDs = Set(body.parameters.map(\.id))
    var kept: [Tensor] = []
    if !recomputed {
      // A loop inside the body that was extended for its own gradient is part of the forward pass.
      for node in Graph.nodes(reaching: roundCotangents)
      where node.operation is Scan && node.operands.allSatisfy({ forward.contains($0.id.node) }) {
        forward.insert(ObjectIdentifier(node))
      }
      // What only rearranges inputs, such as matrices that are joined or widened, is computed again: kept,
      // it would be in memory for every round and evaluation.
      var sources = Set(body.parameters.dropFirst(carried).map(\.id))
      for node in Graph.nodes(reaching: body.results)
      where node.operation.isRearrangement && !node.operands.isEmpty
        && node.operands.allSatisfy({ sources.contains($0.id) })
      { sources.formUnion(node.tensors.map(\.id)) }
      var seen: Set<Tensor.ID> = []
      let uses = Graph.nodes(reaching: roundCotangents).filter {
        !forward.contains(ObjectIdentifier($0))
      }
      .flatMap(\.operands)
      for tensor in uses + roundCotangents
      where forward.contains(tensor.id.node) && !parameterIDs.contains(tensor.id)
        && !sources.contains(tensor.id) && !tensor.isConstant && seen.insert(tensor.id).inserted
      { kept.append(tensor) }
    }
    let states = Array(body.parameters.prefix(carried))
    let extended = Node(
      Scan(
        body: Subgraph(body.parameters, body.results + states + kept), carried: carried,
        inputs: inputs, starts: starts, length: length, reversed: reversed, recomputed: recomputed,
        origin: origin),
      at.operands)
    let residuals = Array(extended.tensors.dropFirst(body.results.count))

    // The backward loop carries the cotangents of the state and the sums for captured values.
    let floatStates = floats.filter { $0 < carried }
    let floatInputs = floats.filter { (carried..<carried + inputs).contains($0) }
    let floatCaptured = floats.filter { $0 >= carried + inputs }
    let dOutputs = outputs.filter { $0 >= carried }
    var replaced: [Tensor.ID: Int] = [:]
    for (i, tensor) in (states + kept).enumerated() { replaced[tensor.id] = i }

    let initial =
      floatStates.map { at.cotangent($0) } + floatCaptured.map { at.operands[$0].zerosLike }
    let sources = Array(at.operands[carried..<carried + inputs])
    let perRound = residuals + sources + dOutputs.map { at.cotangent($0) }
    let allStarts = residuals.map { _ in 0 } + starts + dOutputs.map { _ in 0 }
    let result = scanning(
      initial, perRound, starts: allStarts, length: length, reversed: !reversed, recomputed: false
    ) { state, round in
      var substitutes: [Tensor.ID: Tensor] = [:]
      for (id, i) in replaced { substitutes[id] = round[i] }
      for i in 0..<inputs {
        substitutes[body.parameters[carried + i].id] = round[residuals.count + i]
      }
      for i in 0..<captured {
        substitutes[body.parameters[carried + inputs + i].id] = at.operands[carried + inputs + i]
      }
      for (i, output) in outputs.enumerated() {
        let value: Tensor
        if let place = floatStates.firstIndex(of: output), output < carried {
          value = state[place]
        } else {
          value = round[residuals.count + inputs + dOutputs.firstIndex(of: output)!]
        }
        substitutes[cotangents[i].id] = value
      }
      let values = Graph.substitute(roundCotangents, substitutes)
      let by = Dictionary(uniqueKeysWithValues: zip(floats, values))
      let sums = floatCaptured.enumerated().map { i, place in
        state[floatStates.count + i] + by[place]!
      }
      return (floatStates.map { by[$0]! } + sums, floatInputs.map { by[$0]! })
    }
    var all = [Tensor?](repeating: nil, count: at.operands.count)
    for (place, value) in zip(floatStates + floatCaptured, result.carry) { all[place] = value }
    for (place, value) in zip(floatInputs, result.outputs) {
      let start = starts[place - carried]
      let rest = at.operands[place].shape[0] - start - length
      all[place] = value.pad(
        value.shape.sizes.indices.map { $0 == 0 ? (start, rest) : (0, 0) })
    }
    return all
  }
}

/// Repeats a body over the first axis of its inputs, carrying values from round to round.
///
/// - Parameters:
///   - carry: the first round's carried values; the body must return the same types.
///   - inputs: tensors with a leading axis; each round gets one element.
///   - rounds: the elements of the inputs' first axis; by default all of them, or the first
///     `length`.
///   - length: the number of rounds, where there are no inputs.
///   - reversed: from the last element to the first; outputs stay in the order of the inputs.
///   - recomputed: whether only carried values are stored for the gradient and rounds are
///     recomputed.
/// - Returns: the last carried values, and the outputs of all rounds with a leading axis.
public func scan(
  _ carry: [Tensor], _ inputs: [Tensor] = [], rounds: Range<Int>? = nil, length: Int? = nil,
  reversed: Bool = false, recomputed: Bool = false,
  _ body: ([Tensor], [Tensor]) -> (carry: [Tensor], outputs: [Tensor])
) -> (carry: [Tensor], outputs: [Tensor]) {
  guard let count = length ?? inputs.first?.shape[0] else {
    preconditionFailure("a scan without inputs needs its length")
  }
  let rounds = rounds ?? 0..<count
  precondition(
    inputs.allSatisfy { $0.shape[0] == count } && rounds.lowerBound >= 0
      && rounds.upperBound <= count,
    "a scan of rounds \(rounds) of \(count) got \(inputs.map(\.type))")
  return scanning(
    carry, inputs, starts: inputs.map { _ in rounds.lowerBound }, length: rounds.count,
    reversed: reversed, recomputed: recomputed, body)
}

private func scanning(
  _ carry: [Tensor], _ inputs: [Tensor], starts: [Int], length: Int, reversed: Bool,
  recomputed: Bool, _ body: ([Tensor], [Tensor]) -> (carry: [Tensor], outputs: [Tensor])
) -> (carry: [Tensor], outputs: [Tensor]) {
  let types =
    carry.map(\.type)
    + inputs.map { TensorType(Shape(Array($0.shape.sizes.dropFirst())), $0.dtype) }
  let (subgraph, captured) = Subgraph.trace(types) { parameters in
    let results = body(
      Array(parameters.prefix(carry.count)), Array(parameters.dropFirst(carry.count)))
    precondition(
      results.carry.map(\.type) == carry.map(\.type),
      "a scan's body turned \(carry.map(\.type)) into \(results.carry.map(\.type))")
    return results.carry + results.outputs
  }
  let operation = Scan(
    body: subgraph, carried: carry.count, inputs: inputs.count, starts: starts, length: length,
    reversed: reversed, recomputed: recomputed, origin: subgraph)
  let results = Node(operation, carry + inputs + captured).tensors
  return (Array(results.prefix(carry.count)), Array(results.dropFirst(carry.count)))
}
