/// What a program is emitted for; some operations are spelled otherwise there.
public struct Target: Hashable, Sendable {
  /// The kind of device.
  public var platform: Platform
  /// The custom calls that may stand in for operations, see `Client.kernels`.
  public var kernels: Set<String>
  /// The devices that the program is spread over, nil for one.
  public var mesh: Mesh?

  /// Makes a target.
  public init(platform: Platform = .cpu, kernels: Set<String> = [], mesh: Mesh? = nil) {
    self.platform = platform
    self.kernels = kernels
    self.mesh = mesh
  }

  /// What a client's programs are emitted for.
  public init(_ client: Client, mesh: Mesh? = nil) {
    platform = Platform(clientPlatform: client.platformName)
    kernels = client.kernels
    self.mesh = mesh
  }
}

/// The kind of device that a program is emitted for.
public enum Platform: String, Sendable, Hashable, Codable {
  /// The host's processor.
  case cpu
  /// An NVIDIA or AMD device.
  case gpu
  /// Any other accelerator.
  case other

  /// The platform of a PJRT client by its name.
  public init(clientPlatform name: String) {
    switch name.lowercased() {
    case "cpu", "host": self = .cpu
    case "cuda", "rocm", "gpu": self = .gpu
    default: self = .other
    }
  }
}
