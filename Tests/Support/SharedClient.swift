import PJRT

/// The clients that tests share: one for each number of virtual devices, made once.
public enum SharedClient {
  private static let one = Result { try make(devices: 1) }
  private static let four = Result { try make(devices: 4) }

  /// A client of the installed CPU plugin with one virtual device, or with four.
  ///
  /// Throws where no plugin is installed.
  public static func get(devices: Int = 1) throws -> Client {
    switch devices {
    case 1: try one.get()
    case 4: try four.get()
    default: try make(devices: devices)
    }
  }

  private static func make(devices: Int) throws -> Client {
    try Client(Plugin.load(), options: ["cpu_device_count": .integer(Int64(devices))])
  }
}
