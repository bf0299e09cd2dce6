import Layers
import Runtime
import TestSupport
import Tensors
import Testing

/// The memory of deep stacks whose matrices are kept in fewer bits.
@Suite struct QuantizedStackTests {
  private static let (depth, width, tokens) = (24, 1024, 8)

  private static func build(_ scope: Scope) -> (Tensor) -> Tensor {
    let stack = Stack(scope / "layers", count: depth, execution: .scanned) {
      $0.linear("map", width, width, bias: false)
    }
    return { x in stack(x) { layer, x in x + layer(x) } }
  }

  static let storages: [WeightStorage] = [
    .bfloat16, .dense(.float8e4m3), .int8, .quantized(.int8Groups), .int4, .quantized(.float8e4m3),
  ]

  /// One layer's matrix is widened at a time: all of them in f32 would be 101 MB. Of those in f8 the
  /// program also has a copy of the bits, 25 MB.
  @Test(arguments: storages, [DType.float32, .bfloat16])
  func oneLayerIsWidenedAtATime(storage: WeightStorage, compute: DType) throws {
    let declared = Scope.declare(Self.build)
    var types = declared.arrays { _ in storage }.types
    let weights = types.names
    types["x"] = TensorType([Self.tokens, Self.width], compute)
    let function = try CompiledFunction(SharedClient.get(), types) { given in
      let network = Scope.bind(given.filter(weights.contains), Self.build)
      return Named([("y", network(given["x"]!))])
    }
    let memory = try #require(function.executable.memory)
    let layer = 4 * Self.width * Self.width
    let copied = storage.dtype.isFloat8 ? Self.depth * layer / 4 : 0
    #expect(memory.temporaries < copied + 5 * layer, "\(memory.temporaries >> 20) MB")
    #expect(memory.arguments < types.values.reduce(0) { $0 + $1.byteCount } + 4096)
  }
}
