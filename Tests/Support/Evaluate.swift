import Tensors

/// A traced and compiled function of arrays on the host.
public struct HostFunction {
  /// The program's text.
  public let text: String
  private let executable: Executable

  /// Traces and compiles a function of inputs of these types.
  ///
  /// Programs for other platforms run on the CPU too; they are only spelled otherwise.
  public init(
    _ inputs: [TensorType], target: Target = Target(), _ body: ([Tensor]) -> [Tensor]
  ) throws {
    let program = Program(
      Named(inputs.enumerated().map { ("in\($0)", $1) }), target: target
    ) { arguments in
      Named(body(arguments.values).enumerated().map { ("out\($0)", $1) })
    }
    text = program.text
    // Tests compile far longer than they run, so the compiler takes less care.
    var options = CompileOptions()
    options.overrides = [
      "xla_backend_optimization_level": .integer(0),
      "xla_llvm_disable_expensive_passes": .bool(true),
    ]
    executable = try SharedClient.get().compile(
      program.text, Signature(inputs.map(\.bufferType)), options: options)
  }

  /// Runs it.
  public func callAsFunction(_ arguments: [Numbers]) throws -> [Numbers] {
    let buffers = try arguments.map { try $0.buffer(on: SharedClient.get()) }
    return try executable.execute(buffers).map { try Numbers($0) }
  }
}

/// Compiles a function and runs it on arrays.
public func evaluate(
  _ inputs: [Numbers] = [], target: Target = Target(), _ body: ([Tensor]) -> [Tensor]
) throws -> [Numbers] {
  try HostFunction(inputs.map(\.type), target: target, body)(inputs)
}

/// Compiles a function of named arrays and runs it.
public func evaluate(
  _ inputs: Named<Numbers>, _ body: (Named<Tensor>) -> Named<Tensor>
) throws -> Named<Numbers> {
  var names: [String] = []
  let results = try evaluate(inputs.values) { tensors in
    let named = body(Named(zip(inputs.names, tensors)))
    names = named.names
    return named.values
  }
  return Named(zip(names, results))
}
