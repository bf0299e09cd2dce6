/// The devices that a program is emitted for, which determine how operations are lowered.
public struct Target: Hashable, Sendable {
  /// The kind of device.
  public var platform: Platform
  /// The custom calls that may replace operations, see `Client.kernels`.
  public var kernels: Set<String>
  /// The devices that the program is spread over, nil for one.
  public var mesh: Mesh?
  /// Whether the program is only compiled, to see what it would need; kernels then replace
  /// attention in every element type.
  public private(set) var isPlan = false

  /// Makes a target.
  public init(platform: Platform = .cpu, kernels: Set<String> = [], mesh: Mesh? = nil) {
    self.platform = platform
    self.kernels = kernels
    self.mesh = mesh
  }

  /// A target for programs that are compiled and never run. Matrix multiplications are left to the
  /// compiler, so that their FLOPs can be counted.
  public static func plan(_ client: Client, mesh: Mesh?) -> Target {
    var target = Target(client, mesh: mesh)
    target.kernels.formIntersection([Kernel.attention, .attentionGradient].map(\.rawValue))
    target.isPlan = true
    return target
  }

  /// The target of a client's programs.
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
  /// An NVIDIA GPU.
  case cuda
  /// Any other accelerator.
  case other

  /// The platform of a PJRT client by its name.
  public init(clientPlatform name: String) {
    switch name.lowercased() {
    case "cpu", "host": self = .cpu
    case "cuda": self = .cuda
    default: self = .other
    }
  }
}
