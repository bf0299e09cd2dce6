import PJRT
import Tensors

/// A compiled program with named arguments and results.
public final class CompiledFunction: Sendable {
  /// The program that was compiled.
  public let program: Program
  /// The compiled program.
  public let executable: Executable
  /// Whether it was compiled or loaded from the cache, and how long that took.
  public let compilation: Compilation
  /// The devices that it is partitioned over, nil for one.
  public let mesh: Mesh?

  /// Whether a program was compiled or loaded from the cache, and how long that took.
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
  ///   - cache: the cache of compiled programs; nil for none.
  ///   - mesh: the devices that it is partitioned over, nil for one.
  ///   - shardings: how arguments and results are sharded over the mesh; those that are not named
  ///     are replicated.
  ///   - target: the devices that operations are lowered for; by default the client's.
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
        let shape =
          mesh.map { (shardings[name] ?? .replicated).local(type.shape, $0) } ?? type.shape
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
  /// Arguments are looked up by name, and further ones are ignored. They must have the program's
  /// shardings.
  ///
  /// - Throws: `PJRTError` where an argument is missing or of another type, before anything runs.
  public func callAsFunction(_ arguments: Named<ShardedArray>) throws -> Named<ShardedArray> {
    results(try executable.execute(rows(arguments)))
  }

  /// Starts the program without waiting for it, see `Executable.start`.
  public func start(
    _ arguments: Named<ShardedArray>
  ) throws -> (results: Named<ShardedArray>, completion: Completion) {
    let (rows, completion) = try executable.start(rows(arguments))
    return (results(rows), completion)
  }

  /// The buffers of each device in the program's order.
  private func rows(_ arguments: Named<ShardedArray>) throws -> [[Buffer]] {
    let given = try program.arguments.names.map { name in
      guard let array = arguments[name] else {
        throw PJRTError.missing(what: "argument \(name)", operation: "running a program")
      }
      precondition(
        array.mesh == mesh && (mesh == nil || array.sharding == sharding(name)),
        "\(name) does not have the sharding that the program expects")
      return array
    }
    return executable.client.places(in: mesh).indices.map { row in
      given.map { $0.shards[row].buffer }
    }
  }

  private func results(_ rows: [[Buffer]]) -> Named<ShardedArray> {
    let places = executable.client.places(in: mesh)
    return Named(
      program.results.pairs.enumerated().map { i, result in
        let array = ShardedArray(result.value, sharding(result.name), mesh, places: places) {
          rows[places.firstIndex(of: $1)!][i]
        }
        return (result.name, array)
      })
  }

  private func sharding(_ name: String) -> Sharding { program.shardings[name] ?? .replicated }
}
