import CAllocator
import CPJRT
import Foundation

/// A client of a plugin, which makes buffers and programs on its devices.
///
/// ```swift
/// let client = try Client(Plugin.load(), options: ["cpu_device_count": 1])
/// let x = try client.buffer([1, 2, 3] as [Float], shape: [3])
/// let double = try client.compile(
///   """
///   func.func @main(%x: tensor<3xf32>) -> tensor<3xf32> {
///     %y = stablehlo.add %x, %x : tensor<3xf32>
///     return %y : tensor<3xf32>
///   }
///   """, Signature([x.type]))
/// print(try double.execute([x])[0].array(of: Float.self))  // [2, 4, 6]
/// ```
public final class Client: Sendable {
  /// The plugin that the client runs on.
  public let plugin: Plugin
  /// The platform's name, such as `cpu` or `cuda`.
  public let platformName: String
  /// The plugin's description of its version.
  public let platformVersion: String
  /// All devices, including those of other processes.
  public let devices: [Device]
  /// The devices that this process can place buffers on, at least one.
  public let addressableDevices: [Device]
  /// The names of this project's kernels that programs may call.
  public let kernels: Set<String>
  /// Whether the kernels that need oneDNN are missing, because the library is missing or has another
  /// version than the program was built for.
  public var lacksOneDNN: Bool { !kernels.isEmpty && !kernels.contains("twinflow_matmul") }

  /// Options that every program of this client is compiled with.
  let defaults: [String: CompileOptions.Override]
  private let callbacks: StoreCallbacks?
  let handle: Handle
  private let isExclusive: Bool
  private let lock = NSLock()
  var api: API { plugin.api }

  /// Makes a client.
  ///
  /// The CPU plugin has the option `cpu_device_count`, the number of virtual devices. On Linux this
  /// limits the memory of the process to that of the machine.
  ///
  /// - Parameters:
  ///   - kernels: whether programs may use this project's kernels, which exist for the CPU.
  ///   - store: the store by which the processes of a run find each other; nil for a single process.
  /// - Throws: the plugin's errors, `PJRTError.noGPU` and `noDevice`.
  public init(
    _ plugin: Plugin, options: [String: NamedValue] = [:], kernels: Bool = true,
    store: (any KeyValueStore)? = nil
  ) throws {
    CAllocator_LimitToMemory()
    let api = plugin.api
    let operation = "making a client"
    let callbacks = store.map { StoreCallbacks($0) }
    let handle = try NamedValue.withValues(options) { values in
      var arguments = PJRT_Client_Create_Args()
      callbacks?.install(in: &arguments)
      arguments.create_options = values.baseAddress
      arguments.num_options = values.count
      do {
        try api.call(\.Client_Create, &arguments, operation)
      } catch PJRTError.failure(.failedPrecondition, let message, _)
        where message.contains("GPU")
      {
        throw PJRTError.noGPU(message: message)
      }
      return try Handle(arguments.client, operation)
    }
    do {
      platformName = try Self.text(\.Client_PlatformName, handle, api)
      platformVersion = try Self.text(\.Client_PlatformVersion, handle, api)
      devices = try Self.devices(\.Client_Devices, handle, api)
      addressableDevices = try Self.devices(\.Client_AddressableDevices, handle, api)
      guard !addressableDevices.isEmpty else { throw PJRTError.noDevice }
      self.kernels = kernels && platformName == "cpu" ? try plugin.registerKernels() : []
    } catch {
      Self.destroy(handle, api)
      throw error
    }
    defaults = platformName == "cuda" ? CUDALibraries.compilerOptions(plugin: plugin.path) : [:]
    self.plugin = plugin
    self.handle = handle
    self.callbacks = callbacks
    isExclusive = platformName == "cuda"
  }

  deinit { Self.destroy(handle, api) }

  /// Calls a function of the plugin that starts work on a device.
  ///
  /// On CUDA one thread does so at a time: XLA and cuDNN capture graphs of what a thread starts, and
  /// what another thread starts meanwhile can break the capture. The calls return before the work is
  /// done, so that little is lost.
  func exclusively<Result>(_ body: () throws -> Result) rethrows -> Result {
    isExclusive ? try lock.withLock(body) : try body()
  }

  /// The memory in use on a device, or nil where the plugin does not count it.
  public func memory(of device: Device) throws -> DeviceMemory? {
    var arguments = PJRT_Device_MemoryStats_Args()
    arguments.device = device.handle.pointer
    do {
      try api.call(\.Device_MemoryStats, &arguments, "asking for a device's memory")
    } catch PJRTError.failure(.unimplemented, _, _) {
      return nil
    }
    return DeviceMemory(
      inUse: Int(arguments.bytes_in_use),
      peak: arguments.peak_bytes_in_use_is_set ? Int(arguments.peak_bytes_in_use) : nil,
      limit: arguments.bytes_limit_is_set ? Int(arguments.bytes_limit) : nil)
  }

  /// The memory in bytes of each device that a program runs on; nil where it is not known. The virtual
  /// devices of a CPU share the machine's memory.
  ///
  /// - Parameter count: the number of this process's devices that the program is partitioned over.
  public func capacity(over count: Int = 1) -> Int? {
    if platformName == "cpu" {
      let memory = CAllocator_Memory()
      return memory == .max ? nil : Int(clamping: memory) / max(1, count)
    }
    return addressableDevices.first.flatMap { try? memory(of: $0) }?.limit
  }

  /// Gives memory of the host that was freed back to the system, where it is not needed again soon.
  /// Otherwise it is retained, because a program's temporaries are allocated again in the next run.
  public func giveBackFreedMemory() { CAllocator_Purge() }

  /// The bytes of the first device that are not in use; nil where it is not known.
  public var availableMemory: Int? {
    if platformName == "cpu" {
      let memory = CAllocator_Available()
      return memory == .max ? nil : Int(clamping: memory)
    }
    guard let device = addressableDevices.first, let memory = try? memory(of: device) else {
      return nil
    }
    return memory.limit.map { $0 - memory.inUse }
  }

  /// The device at an address that the plugin gave.
  func device(_ pointer: OpaquePointer?) -> Device? {
    devices.first { $0.handle.pointer == pointer }
  }

  private static func text(
    _ function: KeyPath<PJRT_Api, PJRT_Function?>, _ handle: Handle, _ api: API
  ) throws -> String {
    var arguments = PJRT_Client_Text_Args()
    arguments.client = handle.pointer
    try api.call(function, &arguments, "asking for the platform")
    return PJRT.text(arguments.text, arguments.text_size)
  }

  private static func devices(
    _ function: KeyPath<PJRT_Api, PJRT_Function?>, _ handle: Handle, _ api: API
  ) throws -> [Device] {
    var arguments = PJRT_Client_Devices_Args()
    arguments.client = handle.pointer
    try api.call(function, &arguments, "asking for the devices")
    return try UnsafeBufferPointer(start: arguments.devices, count: arguments.num_devices)
      .map { try Device($0, api) }
  }

  private static func destroy(_ handle: Handle, _ api: API) {
    var arguments = PJRT_Client_Destroy_Args()
    arguments.client = handle.pointer
    api.release(\.Client_Destroy, &arguments)
  }
}
