import CPJRT

/// A device of a client, valid as long as the client lives.
public struct Device: Sendable, Hashable, CustomStringConvertible {
  /// The number that device assignments use.
  public let id: Int
  /// The maker's name for this kind of device, such as `cpu`.
  public let kind: String
  /// The plugin's description, such as `CpuDevice(id=0)`.
  public let description: String
  /// The number of the hardware on this machine, or nil where it has none.
  public let localHardwareID: Int?
  /// Whether this process can place buffers on it.
  public let isAddressable: Bool

  let handle: Handle

  /// Whether two values are the same device of the same client.
  public static func == (a: Device, b: Device) -> Bool { a.handle == b.handle }

  /// Hashes the device's identity.
  public func hash(into hasher: inout Hasher) { hasher.combine(handle) }

  init(_ pointer: OpaquePointer?, _ api: API) throws {
    let operation = "describing a device"
    handle = try Handle(pointer, operation)
    var description = PJRT_Device_GetDescription_Args()
    description.device = pointer
    try api.call(\.Device_GetDescription, &description, operation)
    var id = PJRT_DeviceDescription_Id_Args()
    id.description = description.description
    try api.call(\.DeviceDescription_Id, &id, operation)
    self.id = Int(id.id)
    func text(_ function: KeyPath<PJRT_Api, PJRT_Function?>) throws -> String {
      var arguments = PJRT_DeviceDescription_Text_Args()
      arguments.description = description.description
      try api.call(function, &arguments, operation)
      return PJRT.text(arguments.text, arguments.text_size)
    }
    kind = try text(\.DeviceDescription_Kind)
    self.description = try text(\.DeviceDescription_ToString)
    var addressable = PJRT_Device_IsAddressable_Args()
    addressable.device = pointer
    try api.call(\.Device_IsAddressable, &addressable, operation)
    isAddressable = addressable.is_addressable
    var hardware = PJRT_Device_LocalHardwareId_Args()
    hardware.device = pointer
    hardware.local_hardware_id = -1
    if isAddressable { try api.call(\.Device_LocalHardwareId, &hardware, operation) }
    localHardwareID = hardware.local_hardware_id < 0 ? nil : Int(hardware.local_hardware_id)
  }
}

/// The allocator statistics of a device, in bytes.
public struct DeviceMemory: Hashable, Sendable {
  /// Bytes in use now.
  public let inUse: Int
  /// The peak use, where the plugin counts it.
  public let peak: Int?
  /// The capacity, where the plugin knows it.
  public let limit: Int?
}
