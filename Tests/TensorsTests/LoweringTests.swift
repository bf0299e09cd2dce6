import TestSupport
import Testing

@testable import Tensors

/// The lowering of operations for every kind of target.
@Suite struct LoweringTests {
  static let mesh = Mesh(fsdp: 2, tensor: 2)
  static let kernels = Set(
    [Kernel.matmul, .convolution, .attention, .attentionGradient].map(\.rawValue))
  static let targets = [
    Target(), Target(kernels: kernels), Target(platform: .cuda), Target(platform: .other),
    Target(mesh: mesh), Target(platform: .cuda, mesh: mesh),
  ]

  /// A loop with attention, a checkpoint with a convolution, and their gradients.
  private static let function: Subgraph = {
    let (x, kernel) = (
      Tensor.placeholder(TensorType([4, 6, 3, 8, 16], .float32)),
      Tensor.placeholder(TensorType([3, 1, 8, 8], .float32))
    )
    let y = scan([x], length: 3) { state, _ in
      ([state[0] + state[0].selfAttention().expanded([2]).sharded(.batch)], [])
    }.carry[0]
    let z = checkpoint([y.split(3, axis: 2)[0].reshape([4, 6, 16, 8])]) {
      [
        $0[0].convolution(kernel, ConvolutionWindow(stride: 2, padding: 1)).stopGradient()
          * $0[0].max()
      ]
    }[0]
    return Subgraph([x, kernel], [z] + z.sum().gradients(for: [x, kernel]))
  }()

  @Test(arguments: targets) func everythingIsPrintable(_ target: Target) {
    let function = Self.function
    let lowered = LoweringPass(target)(function)
    #expect(lowered.results.map(\.type) == function.results.map(\.type))
    var known = Set(function.parameters.map(\.id))
    for node in lowered.nodes {
      #expect(node.operation.opcode.contains("."), "\(node.operation.opcode)")
      #expect(node.operands.allSatisfy { known.contains($0.id) }, "operands come first")
      known.formUnion(node.tensors.map(\.id))
    }
    #expect(lowered.results.allSatisfy { known.contains($0.id) })
  }

  @Test func equalOperationsBecomeOne() {
    let x = Tensor.placeholder(TensorType([2, 3], .float32))
    let halves = x.split(3, axis: 1)
    let lowered = LoweringPass(Target())(
      Subgraph([x], [halves[1].exp(), x.slice(1, 1..<2).exp(), x.stopGradient().slice(1, 1..<2)]))
    let opcodes = lowered.nodes.map(\.operation.opcode)
    #expect(opcodes.filter { $0 == "stablehlo.exponential" }.count == 1)
    #expect(opcodes.filter { $0 == "stablehlo.slice" }.count == 3)
    #expect(lowered.results[0].id == lowered.results[1].id)
  }

  /// Only a single CPU calls this project's kernels, and only a GPU cuDNN.
  @Test(arguments: targets) func backendsUseTheirOwnLowerings(_ target: Target) {
    let (q, x) = (
      Tensor.placeholder(TensorType([2, 6, 4, 64], .bfloat16)),
      Tensor.placeholder(TensorType([128, 128], .float32))
    )
    let lowered = LoweringPass(target)(
      Subgraph([q, x], [q.attention(keys: q, values: q), x.matmul(x)]))
    func has<T: Tensors.Operation>(_ kind: T.Type) -> Bool {
      lowered.nodes.contains { $0.operation is T }
    }
    #expect(has(KernelCall.self) == !target.kernels.isEmpty)
    #expect(has(FusedAttention.self) == (target.platform == .cuda && target.mesh == nil))
    #expect(has(ManualComputation.self) == (target.mesh != nil))
  }
}
