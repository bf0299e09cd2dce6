import Foundation
import PJRT
import Tensors
import TestSupport
import Testing

@testable import Runtime

@Suite struct HostArrayTests {
  private static let engines = Result {
    try Engine(
      client: Client(Plugin.load(), options: ["cpu_device_count": 4]),
      cache: ExecutableCache(directory: NSTemporaryDirectory() + "twinflow-test-executables"))
  }

  @Test(arguments: [Mesh(data: 4), Mesh(data: 2, fsdp: 2), Mesh(fsdp: 2, tensor: 2)])
  func rowsAreShardedOverAMesh(mesh: Mesh) throws {
    let engine = try Self.engines.get().spread(over: mesh)
    let values = (0..<24).map(Int32.init)
    let array = try engine.array(HostArray(values, shape: [8, 3]), Sharding([.batch]))
    #expect(array.type == TensorType([8, 3], .int32))
    #expect(try array.array(of: Int32.self) == values)
    #expect(array.shards.allSatisfy { $0.region.sizes == [8 / mesh.batchShards, 3] })
  }

  @Test func elementsOfAnyType() {
    let array = HostArray([true, false], shape: [2])
    #expect(array.type == TensorType([2], .bool) && array.array(of: Bool.self) == [true, false])
  }
}
