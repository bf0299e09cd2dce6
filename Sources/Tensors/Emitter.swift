/// Prints functions as StableHLO text.
final class Emitter {
  private let lower: LoweringPass
  private let prefix: String
  private var lines: [String] = []
  private var names: [Tensor.ID: String] = [:]
  private var counter = 0

  private init(_ lower: LoweringPass, prefix: String = "") {
    self.lower = lower
    self.prefix = prefix
  }

  /// The text of a module whose `@main` takes the parameters and returns the results.
  ///
  /// - Parameters:
  ///   - aliases: for each donated parameter, the result that may reuse its memory, or nil where
  ///     any may.
  ///   - shardings: how parameters and results are sharded over the target's mesh.
  static func module(
    _ function: Subgraph, aliases: [Int: Int?],
    shardings: (parameters: [Sharding], results: [Sharding]), target: Target
  ) -> String {
    let emitter = Emitter(LoweringPass(target))
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
    let results = emitter.emit(function)
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
  ///
  /// - Parameter isLocal: whether it is computed on one device's shards, not over the mesh.
  func region(
    _ function: Subgraph, isLocal: Bool = false, terminator: String = "stablehlo.return"
  ) -> String {
    counter += 1
    let inner = Emitter(isLocal ? lower.local : lower, prefix: "r\(prefix.dropFirst())\(counter)_")
    let arguments = function.parameters.enumerated().map { i, parameter in
      inner.names[parameter.id] = "%\(inner.prefix)a\(i)"
      return "%\(inner.prefix)a\(i): \(parameter.type.text)"
    }
    let results = inner.emit(function)
    let types = function.results.map(\.type.text).joined(separator: ", ")
    return """
      {
      ^bb0(\(arguments.joined(separator: ", "))):
      \(inner.lines.joined(separator: "\n"))
          "\(terminator)"(\(results.joined(separator: ", "))) : (\(types)) -> ()
        }
      """
  }

  /// Prints a function whose parameters are named, and returns the names of its results.
  private func emit(_ function: Subgraph) -> [String] {
    let lowered = lower(function)
    for node in lowered.nodes {
      counter += 1
      let name = "%\(prefix)\(counter)"
      lines.append(line(node, name, node.operands.map { names[$0.id]! }))
      for (i, tensor) in node.tensors.enumerated() {
        names[tensor.id] = node.results.count == 1 ? name : "\(name)#\(i)"
      }
    }
    return lowered.results.map { names[$0.id]! }
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
