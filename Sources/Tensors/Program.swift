/// A graph as a program: StableHLO text with named arguments and results.
public struct Program: Sendable {
  /// The arguments' types in the program's order.
  public let arguments: Named<TensorType>
  /// The results' types in the program's order.
  public let results: Named<TensorType>
  /// The names of the arguments whose memory the program may reuse.
  public let donated: Set<String>
  /// How arguments and results are sharded over the target's mesh.
  public let shardings: Named<Sharding>
  /// The text.
  public let text: String

  /// Traces a function of named tensors and prints it.
  ///
  /// - Parameters:
  ///   - arguments: the arguments' types.
  ///   - donated: which arguments the program may overwrite. A result of the same name and type
  ///     reuses the argument's memory.
  ///   - shardings: how arguments and results are sharded over the target's mesh; those that are
  ///     not named are replicated.
  ///   - target: the devices that the program will run on.
  ///   - body: from the arguments to the results.
  public init(
    _ arguments: Named<TensorType>, donating donated: (String) -> Bool = { _ in false },
    shardings: Named<Sharding> = Named(), target: Target = Target(),
    _ body: (Named<Tensor>) throws -> Named<Tensor>
  ) rethrows {
    let parameters = arguments.mapValues { Tensor.parameter($0) }
    let values = try body(parameters)
    let results = values.mapValues(\.type)
    var aliases: [Int: Int?] = [:]
    for (i, name) in arguments.names.enumerated() where donated(name) {
      let place = results.names.firstIndex(of: name)
      aliases[i] = .some(results[name] == arguments[name] ? place : nil)
    }
    self.arguments = arguments
    self.results = results
    self.donated = Set(aliases.keys.map { arguments.names[$0] })
    self.shardings = shardings
    func all(_ names: [String]) -> [Sharding] { names.map { shardings[$0] ?? .replicated } }
    text = Emitter.module(
      Subgraph(parameters.values, values.values), aliases: aliases,
      shardings: (all(arguments.names), all(results.names)), target: target)
  }
}

extension TensorType {
  /// The type as buffers have it.
  public var bufferType: BufferType { BufferType(dtype, shape.sizes) }

  /// The type of a buffer.
  public init(_ type: BufferType) { self.init(Shape(type.shape), type.dtype) }
}

extension Duration {
  /// The duration in seconds.
  public var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
