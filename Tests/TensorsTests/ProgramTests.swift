import Runtime
import TestSupport
import Testing

@testable import Tensors

@Suite struct ProgramTests {
  static let vector = TensorType([4], .float32)

  @Test func equalSubexpressionsAreEmittedOnce() {
    let program = Program(Named([("x", Self.vector)])) {
      let x = $0["x"]!
      let sums = [x.exp().sum(), x.exp().sum(), (x.exp() * 1).max()]
      return Named(sums.enumerated().map { ("\($0)", $1) })
    }
    #expect(program.text.occurrences(of: "stablehlo.exponential") == 1)
    #expect(program.text.occurrences(of: "applies stablehlo.add") <= 1)
    #expect(program.text.occurrences(of: "\"stablehlo.reduce\"") == 2)
  }

  @Test func tracingTwiceGivesTheSameText() {
    let texts = (0..<2).map { _ in
      Program(Named([("x", Self.vector), ("y", Self.vector)])) {
        let (x, y) = ($0["x"]!, $0["y"]!)
        let loss = scan([x], length: 3) { state, _ in ([(state[0] * y).tanh()], []) }.carry[0].sum()
        return Named([("loss", loss)]).merging(loss.gradients(for: $0))
      }.text
    }
    #expect(texts[0] == texts[1])
  }

  @Test func namesAndTypes() {
    let program = Program(Named([("b", Self.vector), ("a", TensorType([], .int32))])) {
      Named([("z", $0["b"]!.sum()), ("y", $0["a"]!)])
    }
    #expect(program.arguments.names == ["b", "a"])
    #expect(program.results.names == ["z", "y"])
    #expect(program.results["z"] == TensorType([], .float32))
    #expect(program.donated.isEmpty)
  }

  @Test func donatedArgumentsAreConsumed() throws {
    let client = try SharedClient.get()
    let types = Named([("keep", Self.vector), ("state", Self.vector), ("scratch", Self.vector)])
    let function = try CompiledFunction(client, types, donating: { $0 != "keep" }) {
      Named([("sum", $0["keep"]!.sum()), ("state", $0["state"]! + $0["keep"]! + $0["scratch"]!)])
    }
    let text = function.program.text
    #expect(text.contains("%arg1: tensor<4xf32> {tf.aliasing_output = 1 : i32}"))
    #expect(text.contains("%arg2: tensor<4xf32> {jax.buffer_donor = true}"))
    #expect(function.program.donated == ["state", "scratch"])
    if let memory = function.executable.memory { #expect(memory.aliased == 16) }
    let buffers = Named(
      try types.names.map {
        ($0, ShardedArray(try client.buffer([1, 2, 3, 4] as [Float], shape: [4])))
      })
    let results = try function(buffers)
    #expect(try results["state"]!.array(of: Float.self) == [3, 6, 9, 12])
    #expect(types.names.map { buffers[$0]!.shards[0].buffer.isConsumed } == [false, true, true])
  }

  @Test func missingArgumentsAreNamed() throws {
    let function = try CompiledFunction(SharedClient.get(), Named([("x", Self.vector)])) { $0 }
    let error = #expect(throws: PJRTError.self) { try function(Named()) }
    #expect(error?.description.contains("argument x") == true)
  }

  @Test func aDonatedArgumentOfAnotherTypeIsNotAliased() {
    let program = Program(Named([("x", Self.vector)]), donating: { _ in true }) {
      Named([("x", $0["x"]!.sum())])
    }
    #expect(!program.text.contains("tf.aliasing_output"))
    #expect(program.text.contains("jax.buffer_donor"))
  }

  /// A recursive release would need more than the stack of a thread.
  @Test func longChainsAreFreedAndTraversed() {
    var x = Tensor.placeholder(TensorType([], .float32))
    let start = x
    for _ in 0..<200_000 { x = -x }
    #expect(Graph.nodes(reaching: [x]).count == 200_001)
    // A second owner of the middle must not be freed with the chain.
    let middle = x.node.operands[0]
    x = start
    #expect(Graph.nodes(reaching: [middle]).count == 200_000)
  }

  @Test func longChainsArePrintedAndDifferentiated() {
    let program = Program(Named([("x", TensorType([], .float32))])) {
      let y = (0..<5_000).reduce($0["x"]!) { y, _ in y.sin() }
      return Named([("y", y)]).merging(y.gradients(for: $0))
    }
    #expect(program.text.occurrences(of: "stablehlo.cosine") == 5_000)
  }

  @Test func valuesOfAnotherTraceTrap() async {
    await #expect(processExitsWith: .failure) {
      let stranger = Tensor.placeholder(TensorType([], .float32))
      _ = Program(Named()) { _ in Named([("y", stranger + 1)]) }
    }
  }
}
