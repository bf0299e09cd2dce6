import CPJRT
import Foundation
import Synchronization

/// The kinds of device that a plugin can be asked for by name.
public enum DeviceKind: String, CaseIterable, Sendable {
  /// The machine's processor.
  case cpu
  /// NVIDIA GPUs.
  case cuda

  /// The path of the plugin that `scripts/setup` installs, within the folder of plugins.
  var library: String {
    switch self {
    case .cpu: "pjrt-cpu.so"
    case .cuda: "cuda/jax_plugins/xla_cuda13/xla_cuda_plugin.so"
    }
  }
}

/// A PJRT plugin: a shared library that compiles and runs programs on one kind of device.
///
/// ```swift
/// let client = try Client(Plugin.load())
/// ```
public final class Plugin: Sendable {
  /// A version of the PJRT interface.
  public struct Version: Hashable, Sendable, CustomStringConvertible {
    /// The major version, whose change breaks compatibility.
    public let major: Int
    /// The minor version, which counts additions.
    public let minor: Int

    /// The text, `0.115`.
    public var description: String { "\(major).\(minor)" }
  }

  /// The library's file, with symbolic links resolved.
  public let path: String
  /// The version of the interface that the plugin was built with.
  public let version: Version
  /// The plugin's attributes, such as `xla_version` and `stablehlo_current_version`; a
  /// version of three numbers reads `1.16.0`.
  public let attributes: [String: String]

  let api: API
  /// The custom calls that were registered, nil before.
  let registered = Mutex<Set<String>?>(nil)

  private static let loaded = Mutex<[String: Plugin]>([:])

  /// Loads a plugin, once in a process.
  ///
  /// The path is `path`, otherwise that in the environment variable TWINFLOW_PLUGIN, otherwise the place
  /// where `scripts/setup` installs plugins.
  ///
  /// - Throws: `PJRTError` where there is no file, or where it is not a plugin.
  public static func load(
    _ path: String? = nil, device: DeviceKind = .cpu,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> Plugin {
    let file = URL(fileURLWithPath: try find(path, device: device, environment: environment))
      .resolvingSymlinksInPath().path
    return try loaded.withLock { plugins in
      if let plugin = plugins[file] { return plugin }
      let plugin = try Plugin(file)
      plugins[file] = plugin
      return plugin
    }
  }

  /// The path that `load` would load.
  ///
  /// - Throws: `PJRTError.noPlugin` where none is named and none is installed.
  public static func find(
    _ path: String? = nil, device: DeviceKind = .cpu,
    environment: [String: String] = ProcessInfo.processInfo.environment
  ) throws -> String {
    if let named = path ?? environment["TWINFLOW_PLUGIN"], !named.isEmpty {
      return NSString(string: named).expandingTildeInPath
    }
    let file = cacheDirectory(environment: environment) + "/plugins/" + device.library
    guard FileManager.default.fileExists(atPath: file) else {
      throw PJRTError.noPlugin(searched: file, device: device)
    }
    return file
  }

  private init(_ path: String) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw PJRTError.notAPlugin(path: path, reason: .missing)
    }
    // Suppresses plugins' informational messages; a value that is set already stays.
    setenv("TF_CPP_MIN_LOG_LEVEL", "2", 0)
    CUDALibraries(plugin: path)?.load()
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
      throw PJRTError.notAPlugin(path: path, reason: .notALibrary(reason))
    }
    guard let symbol = dlsym(library, "GetPjrtApi") else {
      dlclose(library)
      throw PJRTError.notAPlugin(path: path, reason: .noEntryPoint)
    }
    typealias EntryPoint = @convention(c) () -> UnsafePointer<PJRT_Api>?
    guard let table = unsafeBitCast(symbol, to: EntryPoint.self)() else {
      throw PJRTError.notAPlugin(path: path, reason: .noTable)
    }
    let version = Version(
      major: Int(table.pointee.version.major), minor: Int(table.pointee.version.minor))
    guard version.major == 0 else {
      throw PJRTError.versionMismatch(
        path: path, found: version, reason: "only major version 0 is known")
    }
    let needed = MemoryLayout<PJRT_Api>.offset(of: \.Memory_Kind_Id)!
    guard table.pointee.struct_size >= needed else {
      throw PJRTError.versionMismatch(
        path: path, found: version,
        reason: "its table has \(table.pointee.struct_size) bytes and \(needed) are needed")
    }
    self.path = path
    self.version = version
    api = API(table: table)
    var arguments = PJRT_Plugin_Initialize_Args()
    try api.call(\.Plugin_Initialize, &arguments, "starting the plugin")
    attributes = try Self.attributes(api)
  }

  private static func attributes(_ api: API) throws -> [String: String] {
    var arguments = PJRT_Plugin_Attributes_Args()
    do {
      try api.call(\.Plugin_Attributes, &arguments, "asking for the plugin's attributes")
    } catch PJRTError.failure(.unimplemented, _, _) {
      return [:]
    }
    let values = UnsafeBufferPointer(start: arguments.attributes, count: arguments.num_attributes)
    return Dictionary(
      values.map { (text($0.name, $0.name_size), NamedValue.text($0)) },
      uniquingKeysWith: { first, _ in first })
  }
}

/// The folder for files that can be downloaded or computed again: `twinflow` in XDG_CACHE_HOME, or in
/// `~/.cache`.
public func cacheDirectory(
  environment: [String: String] = ProcessInfo.processInfo.environment
) -> String {
  if let cache = environment["XDG_CACHE_HOME"], cache.hasPrefix("/") { return cache + "/twinflow" }
  return (environment["HOME"] ?? NSHomeDirectory()) + "/.cache/twinflow"
}
