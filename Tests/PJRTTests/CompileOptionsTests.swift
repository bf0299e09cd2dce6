import TestSupport
import Testing

@testable import PJRT

@Suite struct CompileOptionsTests {
  @Test func minimalOptions() {
    #expect(CompileOptions().serialized() == [0x1a, 0x04, 0x20, 0x01, 0x28, 0x01])
  }

  @Test func everyFieldHasItsNumber() {
    var options = CompileOptions.partitioned(over: 2)
    options.deviceAssignment = [[300, 1]]
    options.propagatesShardingToOutputs = true
    options.overrides = ["a": .bool(true), "b": .integer(-1)]
    let assignment: [UInt8] =
      [0x08, 1, 0x10, 2, 0x1a, 4, 0x0a, 2, 0xac, 0x02] + [0x1a, 3, 0x0a, 1, 1]
    let build: [UInt8] =
      [0x20, 1, 0x28, 2, 0x30, 1, 0x4a, UInt8(assignment.count)] + assignment
      + [0x62, 1, 1, 0x98, 0x01, 1]
    let negative = [UInt8](repeating: 0xff, count: 9) + [1]
    #expect(
      options.serialized() == [0x1a, UInt8(build.count)] + build
        + [0x3a, 7, 0x0a, 1, 0x61, 0x12, 2, 0x10, 1]
        + [0x3a, 16, 0x0a, 1, 0x62, 0x12, 11, 0x18] + negative)
  }

  /// cuBLAS multiplies matrices on a GPU, unless the user sets otherwise.
  @Test func optionsOfGPUsGiveWayToTheUsersFlags() {
    let triton = "xla_gpu_enable_triton_gemm"
    func options(_ flags: String) -> [String: CompileOptions.Override] {
      CUDALibraries.compilerOptions(plugin: "/nowhere/plugin.so", environment: ["XLA_FLAGS": flags])
    }
    #expect(options("") == [triton: .bool(false)])
    #expect(options("--xla_dump_to=/tmp --\(triton)=true").isEmpty)
  }

  @Test func overrideReachesTheCompiler() throws {
    let client = try Plugins.shared()
    let signature = Signature([BufferType(.float32, [2])])
    var options = CompileOptions()
    options.overrides = ["xla_cpu_enable_fast_math": .bool(false)]
    _ = try client.compile(doubling(2), signature, options: options)
    options.overrides = ["xla_no_such_option": .bool(false)]
    #expect(throws: PJRTError.self) {
      try client.compile(doubling(2), signature, options: options)
    }
  }
}
