import PJRT
import TestSupport
import Testing

@Suite struct DeviceTests {
  /// Adds one to rows that are spread over four devices, and sums them all.
  static let sharded = """
    sdy.mesh @mesh = <["data"=4]>
    func.func @main(
      %x: tensor<8x2xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {}]>}
    ) -> (
      tensor<8x2xf32> {sdy.sharding = #sdy.sharding<@mesh, [{"data"}, {}]>},
      tensor<f32> {sdy.sharding = #sdy.sharding<@mesh, []>}
    ) {
      %one = stablehlo.constant dense<1.0> : tensor<8x2xf32>
      %zero = stablehlo.constant dense<0.0> : tensor<f32>
      %y = stablehlo.add %x, %one : tensor<8x2xf32>
      %sum = stablehlo.reduce(%y init: %zero) applies stablehlo.add across dimensions = [0, 1]
        : (tensor<8x2xf32>, tensor<f32>) -> tensor<f32>
      return %y, %sum : tensor<8x2xf32>, tensor<f32>
    }
    """

  @Test(arguments: Plugins.paths, [nil, [[3, 1, 2, 0]]] as [[[Int]]?])
  func shardedProgramRunsOnFourDevices(path: String, assignment: [[Int]]?) throws {
    let client = try Plugins.client(path, devices: 4)
    var options = CompileOptions.partitioned(over: 4)
    options.deviceAssignment = assignment
    let executable = try client.compile(
      Self.sharded, Signature([BufferType(.float32, [2, 2])]), options: options)
    #expect(executable.devices.map(\.id) == assignment?[0] ?? [0, 1, 2, 3])
    let parts = try executable.devices.enumerated().map { index, device in
      try [client.buffer([Float](repeating: Float(index), count: 4), shape: [2, 2], on: device)]
    }
    let results = try executable.execute(parts)
    for (index, result) in results.enumerated() {
      #expect(result[0].device == executable.devices[index])
      #expect(try result[0].array(of: Float.self) == [Float](repeating: Float(index + 1), count: 4))
      #expect(try result[1].array(of: Float.self) == [40])
    }
    #expect(
      throws: PJRTError.wrongArgumentDevice(
        index: 0, name: nil, expected: executable.devices[0].id, found: executable.devices[1].id)
    ) { try executable.execute([parts[1], parts[0], parts[2], parts[3]]) }
    let again = try client.load(executable.serialized(), executable.signature)
    #expect(again.devices == executable.devices)
    #expect(try again.execute(parts)[3][1].array(of: Float.self) == [40])
  }

  @Test(arguments: [
    [[0, 1, 2, 2]], [[0, 1, 2]], [[0], [1], [2], [3]], [[0, 1, 2, 9]], [],
  ])
  func mismatchedDeviceAssignmentIsRejected(assignment: [[Int]]) throws {
    let client = try Plugins.client(devices: 4)
    var options = CompileOptions.partitioned(over: 4)
    options.deviceAssignment = assignment
    let error = #expect(throws: PJRTError.self) {
      try client.compile(
        Self.sharded, Signature([BufferType(.float32, [2, 2])]), options: options)
    }
    guard case .wrongDeviceAssignment = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  @Test func tooManyDevicesAreRejected() throws {
    #expect(throws: PJRTError.self) {
      try Plugins.shared().compile(
        Self.sharded, Signature([BufferType(.float32, [2, 2])]), options: .partitioned(over: 4))
    }
  }

  @Test(arguments: Plugins.paths)
  func bufferIsCopiedBetweenDevices(path: String) throws {
    let client = try Plugins.client(path, devices: 2)
    let buffer = try client.buffer([1, 2] as [Float], shape: [2], on: client.devices[1])
    #expect(buffer.device.id == 1)
    let copy = try buffer.copied(to: client.devices[0])
    #expect(copy.device.id == 0)
    #expect(try copy.array(of: Float.self) == [1, 2])
  }
}
