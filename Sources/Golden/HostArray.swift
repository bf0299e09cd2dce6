import Runtime
import Tensors
import Weights

/// A dense f32 array on the host.
struct HostArray: Sendable {
  let values: [Float]
  let shape: [Int]

  init(_ values: [Float], _ shape: [Int]) {
    precondition(shape.reduce(1, *) == values.count, "\(values.count) values for \(shape)")
    self.values = values
    self.shape = shape
  }

  /// The type on the device.
  var type: TensorType { TensorType(Shape(shape), .float32) }

  /// The same elements on one axis.
  var flat: HostArray { HostArray(values, [values.count]) }

  /// The size of the first axis; 0 where there is none.
  var rowCount: Int { shape.first ?? 0 }

  /// Rows of the first axis, concatenated over ranges.
  func rows(_ ranges: [Range<Int>]) -> HostArray {
    let width = values.count / max(1, rowCount)
    let chosen = ranges.flatMap { values[$0.lowerBound * width..<$0.upperBound * width] }
    return HostArray(chosen, [ranges.reduce(0) { $0 + $1.count }] + shape.dropFirst())
  }

  /// One row of the first axis.
  func row(_ row: Int) -> HostArray { rows([row..<row + 1]) }

  /// 1 in the first elements of each row, as many as its count, and 0 behind them.
  static func mask(_ counts: [Int], _ length: Int) -> HostArray {
    HostArray(
      counts.flatMap { count in (0..<length).map { $0 < count ? 1 : 0 } as [Float] },
      [counts.count, length])
  }

  /// Every array of a file; booleans, integers and f64 are converted to f32.
  ///
  /// - Throws: the errors of files, and `GoldenError.wrongCase` for other element types.
  static func read(_ path: String) throws -> Named<HostArray> {
    let file = try SafeTensors(path: path)
    return try withExtendedLifetime(file.owner) {
      try file.types.map { name, type in
        let bytes = file.bytes(name)!
        func all<T>(_: T.Type, _ convert: (T) -> Float) -> [Float] {
          (0..<type.shape.count).map {
            convert(bytes.loadUnaligned(fromByteOffset: $0 * MemoryLayout<T>.size, as: T.self))
          }
        }
        let values: [Float] =
          switch type.dtype {
          case .float32: all(Float.self) { $0 }
          case .float64: all(Double.self) { Float($0) }
          case .uint8, .bool: all(UInt8.self) { Float($0) }
          case .int16: all(Int16.self) { Float($0) }
          case .int32: all(Int32.self) { Float($0) }
          case .int64: all(Int64.self) { Float($0) }
          default: throw GoldenError.wrongCase(path: path, reason: "\(name) is \(type)")
          }
        return HostArray(values, type.shape.sizes)
      }
    }
  }
}

/// A compiled function of named f32 arrays.
struct HostProgram {
  private let program: Program
  private let executable: Executable
  private let client: Client
  private let weights: Named<ShardedArray>

  /// Compiles a function of arrays of the given types, or loads it from the cache; with few optimizations,
  /// because it runs once or twice.
  ///
  /// - Parameter weights: further arguments, which are already on the device.
  init(
    _ like: Named<HostArray>, weights: Named<ShardedArray> = Named(), on client: Client,
    _ body: (Named<Tensor>) throws -> Named<Tensor>
  ) throws {
    self.client = client
    self.weights = weights
    program = try Program(
      like.mapValues(\.type).merging(weights.types), target: Target(client)
    ) { try body($0).mapValues { $0.cast(to: .float32) } }
    var options = CompileOptions()
    if client.platformName == "cpu" {
      options.overrides = [
        "xla_backend_optimization_level": .integer(0),
        "xla_llvm_disable_expensive_passes": .bool(true),
      ]
    }
    executable = try ExecutableCache().executable(
      for: program.text, Signature(program.arguments.values.map(\.bufferType)), on: client,
      options: options
    ).executable
  }

  func callAsFunction(_ arguments: Named<HostArray>) throws -> Named<HostArray> {
    let buffers = try program.arguments.names.map { name in
      if let weight = weights[name] { return weight.shards[0].buffer }
      return try client.buffer(arguments[name]!.values, shape: arguments[name]!.shape)
    }
    let results = try executable.execute(buffers).map {
      HostArray(try $0.array(of: Float.self), $0.shape)
    }
    return Named(zip(program.results.names, results))
  }
}
