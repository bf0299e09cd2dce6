import Testing

@testable import PJRT

@Suite struct OptimizedProgramTests {
  /// A loop of seven multiplications of a sharded matrix, summed over both devices.
  private static let text = """
    module @loop {
      sdy.mesh @mesh = <["x"=2]>
      func.func public @main(
        %a: tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"x"}]>},
        %b: tensor<16x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"x"}, {}]>}
      ) -> (tensor<8x16xf32> {sdy.sharding = #sdy.sharding<@mesh, [{}, {"x"}]>}) {
        %zero = stablehlo.constant dense<0> : tensor<i32>
        %r:2 = stablehlo.while(%i = %zero, %x = %a) : tensor<i32>, tensor<8x16xf32>
        cond {
          %n = stablehlo.constant dense<7> : tensor<i32>
          %c = stablehlo.compare LT, %i, %n : (tensor<i32>, tensor<i32>) -> tensor<i1>
          stablehlo.return %c : tensor<i1>
        } do {
          %one = stablehlo.constant dense<1> : tensor<i32>
          %j = stablehlo.add %i, %one : tensor<i32>
          %y = stablehlo.dot_general %x, %b, contracting_dims = [1] x [0]
            : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32>
          stablehlo.return %j, %y : tensor<i32>, tensor<8x16xf32>
        }
        return %r#1 : tensor<8x16xf32>
      }
    }
    """

  @Test func countsRoundsOfLoops() throws {
    let client = try Client(Plugin.load(), options: ["cpu_device_count": 2])
    let signature = Signature([BufferType(.float32, [8, 8]), BufferType(.float32, [8, 16])])
    let executable = try client.compile(
      Self.text, signature, options: .partitioned(over: 2))
    let program = try #require(try executable.optimizedProgram())
    let dots = program.instructions.filter { $0.opcode == "dot" }
    #expect(dots.reduce(0) { $0 + $1.count } == 7)
    #expect(dots.allSatisfy { $0.shapes == [[8, 16]] && $0.contracted == [1] })
    #expect(dots.allSatisfy { $0.operands.first == [[8, 8]] })
    let collectives = program.instructions.filter {
      ["all-reduce", "reduce-scatter"].contains($0.opcode)
    }
    #expect(collectives.reduce(0) { $0 + $1.count } >= 7)
    #expect(collectives.allSatisfy { $0.bytes > 0 })
  }

  @Test func invalidBytesAreNotAProgram() {
    #expect(OptimizedProgram([1, 2, 3]) == nil)
    #expect(OptimizedProgram([]) == nil)
    #expect(OptimizedProgram([UInt8](repeating: 0xFF, count: 100)) == nil)
  }
}
