import Foundation
import PJRT
import TestSupport
import Testing

@Suite struct BufferTests {
  @Test(arguments: Plugins.paths)
  func arraysRoundTrip(path: String) throws {
    let client = try Plugins.shared(path)
    func check<T: Element & Equatable>(_ values: [T], _ shape: [Int]) throws {
      let buffer = try client.buffer(values, shape: shape)
      #expect(buffer.type == BufferType(T.dtype, shape))
      #expect(try buffer.array(of: T.self) == values)
    }
    try check([true, false, true], [3])
    try check([Int8.min, -1, .max], [3, 1])
    try check([Int16.min, .max], [2])
    try check([Int32.min, .max], [1, 2])
    try check([Int64.min, .max], [2])
    try check([UInt8.max, 1], [2])
    try check([UInt16.max, 1], [2])
    try check([UInt32.max, 1], [2])
    try check([UInt64.max, 1], [2])
    try check([Float16(1.5), -2], [2])
    try check([1, 2, 3, 4, 5, 6] as [Float], [3, 2])
    try check([Double.pi, -0.5], [2, 1, 1])
    try check([7] as [Float], [])
    try check([] as [Float], [0, 4])
  }

  @Test(arguments: Plugins.paths)
  func bfloat16RoundTripsAsBytes(path: String) throws {
    let client = try Plugins.shared(path)
    let bits: [UInt16] = [0x3f80, 0xc000]
    let buffer = try bits.withUnsafeBytes {
      try client.buffer(bytes: $0, BufferType(.bfloat16, [2]))
    }
    #expect(try buffer.bytes() == bits.withUnsafeBytes(Array.init))
    #expect(throws: PJRTError.wrongElementType(expected: .float32, found: .bfloat16)) {
      try buffer.array(of: Float.self)
    }
  }

  @Test(arguments: Plugins.paths)
  func resultsAreRowMajorWhateverTheLayoutInside(path: String) throws {
    let client = try Plugins.shared(path)
    let transpose = try client.compile(
      program(
        "%x: tensor<2x3xi32>", "tensor<3x2xi32>",
        """
        %y = stablehlo.transpose %x, dims = [1, 0] : (tensor<2x3xi32>) -> tensor<3x2xi32>
        return %y : tensor<3x2xi32>
        """), Signature([BufferType(.int32, [2, 3])]))
    let x = try client.buffer([1, 2, 3, 4, 5, 6] as [Int32], shape: [2, 3])
    #expect(try transpose.execute([x])[0].array(of: Int32.self) == [1, 4, 2, 5, 3, 6])
  }

  /// A file mapped into memory, which reports when it is released.
  final class Mapping: Sendable {
    let address: UInt
    let count: Int
    let released: @Sendable () -> Void

    init(_ path: String, count: Int, released: @escaping @Sendable () -> Void) throws {
      let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: path))
      defer { try? file.close() }
      let memory = try #require(
        mmap(nil, count, PROT_READ, MAP_PRIVATE, file.fileDescriptor, 0))
      #expect(memory != MAP_FAILED)
      address = UInt(bitPattern: memory)
      self.count = count
      self.released = released
    }

    var bytes: UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(start: UnsafeRawPointer(bitPattern: address), count: count)
    }

    deinit {
      munmap(UnsafeMutableRawPointer(bitPattern: address), count)
      released()
    }
  }

  @Test(arguments: Plugins.paths)
  func alignedMemoryIsSharedAndHeldUntilTheBufferIsGone(path: String) throws {
    let client = try Plugins.shared(path)
    let folder = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "numbers")
    let numbers = (0..<4096).map { Float($0) }
    try Data(numbers.withUnsafeBytes(Array.init)).write(to: file)
    let isReleased = DispatchSemaphore(value: 0)
    do {
      var buffer: Buffer?
      var address: UInt = 0
      do {
        let mapping = try Mapping(file.path, count: 16384) { isReleased.signal() }
        address = mapping.address
        buffer = try client.buffer(
          sharing: mapping.bytes, owner: mapping, BufferType(.float32, [4096]))
      }
      #expect(isReleased.wait(timeout: .now() + 0.05) == .timedOut)
      #expect(try buffer?.address() == address)
      #expect(try buffer?.array(of: Float.self) == numbers)
      let double = try client.compile(doubling(4096), Signature([buffer!.type]))
      #expect(try double.execute([buffer!])[0].array(of: Float.self) == numbers.map { 2 * $0 })
      buffer = nil
    }
    #expect(isReleased.wait(timeout: .now() + 5) == .success)
  }

  @Test(arguments: Plugins.paths)
  func readOnlyMemoryCanBeDonated(path: String) throws {
    let client = try Plugins.shared(path)
    let folder = try temporaryDirectory()
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "numbers")
    let numbers = (0..<1024).map { Float($0) }
    try Data(numbers.withUnsafeBytes(Array.init)).write(to: file)
    let mapping = try Mapping(file.path, count: 4096) {}
    let buffer = try client.buffer(
      sharing: mapping.bytes, owner: mapping, BufferType(.float32, [1024]))
    let step = try client.compile(
      donatingDoubling(1024), Signature([buffer.type], donated: [0]))
    #expect(try step.execute([buffer])[0].array(of: Float.self) == numbers.map { 2 * $0 })
    #expect(Array(mapping.bytes.bindMemory(to: Float.self)) == numbers)
  }

  /// The last of a client's buffers is destroyed before the client: released the other way round, a
  /// GPU's allocator ends the process.
  @Test func buffersKeepTheirClient() throws {
    weak var weakClient: Client?
    var buffer: Buffer?
    do {
      let client = try Plugins.client()
      weakClient = client
      buffer = try client.buffer([1, 2, 3] as [Float], shape: [3])
    }
    #expect(weakClient != nil)
    #expect(try buffer?.array(of: Float.self) == [1, 2, 3])
    buffer = nil
    #expect(weakClient == nil)
  }
}
