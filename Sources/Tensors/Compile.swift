/// A graph as a program: StableHLO text with named arguments and results.
public struct Program: Sendable {
  /// The arguments' types in the program's order.
  public let arguments: Named<TensorType>
  /// The results' types in the program's order.
  public let results: Named<TensorType>
  /// The names of the arguments whose memory the program takes.
  public let donated: Set<String>
  /// How arguments and results are split over the target's mesh.
  public let shardings: Named<Sharding>
  /// The text.
  public let text: String

  /// Traces a function of named tensors and prints it.
  ///
  /// - Parameters:
  ///   - arguments: the arguments' types.
  ///   - donated: which arguments the program may overwrite. A result of the same name and type
  ///     takes the argument's memory.
  ///   - shardings: how arguments and results are split over the target's mesh; those that are not
  ///     named are whole on every device.
  ///   - target: what the program will run on.
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
    func all(_ names: [String]) -> [Sharding] { names.map { shardings[$0] ?? .whole } }
    text = Emitter.module(
      Subgraph(parameters.values, values.values), aliases: aliases,
      shardings: (all(arguments.names), all(results.names)), target: target)
  }
}

/// A compiled program with named arguments and results.
public final class CompiledFunction: Sendable {
  /// The program it was compiled from.
  public let program: Program
  /// The plugin's form of it.
  public let executable: Executable
  /// How it was made.
  public let compilation: Compilation
  /// The devices it is spread over, nil for one.
  public let mesh: Mesh?

  /// How a program came to be compiled.
  public struct Compilation: Sendable {
    /// The seconds that tracing and printing took.
    public let tracing: Double
    /// The seconds that compiling, or loading from the cache, took.
    public let compiling: Double
    /// Whether it came from the cache.
    public let cached: Bool
  }

  /// Traces and compiles a function of named tensors, see `Program.init`.
  ///
  /// - Parameters:
  ///   - cache: where compiled programs are kept; nil compiles anew.
  ///   - mesh: the devices it is spread over, nil for one.
  ///   - shardings: how arguments and results are split over the mesh; those that are not named are
  ///     whole on every device.
  ///   - target: how operations are spelled; by default as the client's devices want it.
  /// - Throws: what the body throws, and the plugin's errors.
  public init(
    _ client: Client, cache: ExecutableCache? = nil, mesh: Mesh? = nil,
    _ arguments: Named<TensorType>, shardings: Named<Sharding> = Named(),
    donating donated: (String) -> Bool = { _ in false }, target: Target? = nil,
    _ body: (Named<Tensor>) throws -> Named<Tensor>
  ) throws {
    let clock = ContinuousClock()
    let start = clock.now
    let program = try Program(
      arguments, donating: donated, shardings: shardings,
      target: target ?? Target(client, mesh: mesh), body)
    let traced = clock.now
    let signature = Signature(
      program.arguments.pairs.map { name, type in
        let shape = mesh.map { (shardings[name] ?? .whole).local(type.shape, $0) } ?? type.shape
        return .init(TensorType(shape, type.dtype).bufferType, name: name)
      },
      donated: Set(arguments.names.indices.filter { program.donated.contains(arguments.names[$0]) })
    )
    let options = mesh.map { CompileOptions.partitioned(over: $0.count) } ?? CompileOptions()
    self.program = program
    self.mesh = mesh
    if let cache {
      let (executable, report) = try cache.executable(
        for: program.text, signature, on: client, options: options)
      self.executable = executable
      compilation = Compilation(
        tracing: (traced - start).seconds, compiling: report.seconds, cached: report.wasCached)
    } else {
      executable = try client.compile(program.text, signature, options: options)
      compilation = Compilation(
        tracing: (traced - start).seconds, compiling: (clock.now - traced).seconds, cached: false)
    }
  }

  /// Runs the program and waits for its results.
  ///
  /// Arguments are taken by name; others may be present and are ignored. They must be split as the
  /// program wants it.
  ///
  /// - Throws: `PJRTError` where an argument is missing or of another type, before anything runs.
  public func callAsFunction(_ arguments: Named<ShardedArray>) throws -> Named<ShardedArray> {
    let given = try program.arguments.names.map { name in
      guard let array = arguments[name] else {
        throw PJRTError.missing(what: "argument \(name)", operation: "running a program")
      }
      precondition(
        array.mesh == mesh && (mesh == nil || array.sharding == sharding(name)),
        "\(name) is split in another way than the program takes it")
      return array
    }
    let places = executable.client.places(in: mesh)
    let rows = places.indices.map { row in given.map { $0.parts[row].buffer } }
    let results = try executable.execute(rows)
    return Named(
      program.results.pairs.enumerated().map { i, result in
        let array = ShardedArray(result.value, sharding(result.name), mesh, places: places) {
          results[places.firstIndex(of: $1)!][i]
        }
        return (result.name, array)
      })
  }

  private func sharding(_ name: String) -> Sharding { program.shardings[name] ?? .whole }
}

extension TensorType {
  /// The same type as the engine writes it.
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
