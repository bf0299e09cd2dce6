/// What can go wrong between this program and a PJRT plugin.
public enum PJRTError: Error, Equatable, Sendable {
  /// No plugin was named and none is installed for a kind of device at `searched`.
  case noPlugin(searched: String, device: DeviceKind)
  /// NVIDIA's driver is missing, or no GPU is visible to this process.
  case noGPU(message: String)
  /// The file at `path` cannot be used as a plugin.
  case notAPlugin(path: String, reason: NotAPlugin)
  /// The plugin has a version of the interface that this program does not support.
  case versionMismatch(path: String, found: Plugin.Version, reason: String)
  /// The plugin reported an error in an operation.
  case failure(code: Code, message: String, operation: String)
  /// The client has no device that this process can use.
  case noDevice
  /// The plugin lacks a function, or did not return a result.
  case missing(what: String, operation: String)
  /// The plugin returned a buffer of an unsupported element type.
  case unknownElementType(code: Int, operation: String)
  /// The options name devices that do not match the program or the client.
  case wrongDeviceAssignment(reason: String)
  /// A program that runs on `expected` devices got arguments for another number of them.
  case wrongDeviceCount(expected: Int, found: Int)
  /// A program got another number of arguments than it takes.
  case wrongArgumentCount(device: Int, expected: Int, found: Int)
  /// An argument's element type or shape is not what the program takes.
  case wrongArgument(index: Int, name: String?, expected: BufferType, found: BufferType)
  /// An argument is on another device than the one that needs it.
  case wrongArgumentDevice(index: Int, name: String?, expected: Int, found: Int)
  /// A buffer was used after it was donated.
  case consumed(type: BufferType, by: String)
  /// A buffer was read as elements of another type than it holds.
  case wrongElementType(expected: DType, found: DType)
  /// A file of the cache could not be written.
  case cacheUnwritable(path: String, reason: String)

  /// Why a file is not a plugin.
  public enum NotAPlugin: Equatable, Sendable {
    /// There is no such file.
    case missing
    /// The system could not load it as a shared library, for the reason given.
    case notALibrary(String)
    /// It is a shared library without the function `GetPjrtApi`.
    case noEntryPoint
    /// Its `GetPjrtApi` returned nothing.
    case noTable
  }

  /// The kind of a plugin's error.
  public enum Code: Int32, Sendable {
    case cancelled = 1
    case unknown
    case invalidArgument
    case deadlineExceeded
    case notFound
    case alreadyExists
    case permissionDenied
    case resourceExhausted
    case failedPrecondition
    case aborted
    case outOfRange
    case unimplemented
    case `internal`
    case unavailable
    case dataLoss
    case unauthenticated
  }
}

extension PJRTError: CustomStringConvertible {
  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .noPlugin(let searched, .cpu):
      """
      No PJRT plugin is installed (looked for \(searched)). Run `scripts/setup` to install the one \
      for the CPU, or name one with --plugin or in the environment variable TWINFLOW_PLUGIN.
      """
    case .noPlugin(let searched, .cuda):
      """
      The PJRT plugin for NVIDIA's GPUs is not installed (looked for \(searched)). Run \
      `scripts/setup --cuda` on a machine with NVIDIA's driver, or name one with --plugin.
      """
    case .noGPU(let message):
      """
      There is no NVIDIA GPU that this process can use: check that nvidia-smi lists one, and that \
      CUDA_VISIBLE_DEVICES does not hide it. Without a GPU use --device cpu. (\(message))
      """
    case .notAPlugin(let path, let reason):
      """
      \(path) is not a PJRT plugin: \(reason.text). Name a plugin's shared library with --plugin or \
      in TWINFLOW_PLUGIN, or run `scripts/setup` and name none.
      """
    case .versionMismatch(let path, let found, let reason):
      """
      The plugin \(path) has version \(found) of the PJRT interface, which this program does not \
      support: \(reason). Run `scripts/setup` to install a supported one.
      """
    case .failure(let code, let message, let operation):
      "The plugin failed at \(operation) (\(code)): \(message)"
    case .noDevice:
      "The plugin has no device that this process can use; request at least one."
    case .missing(let what, let operation):
      "The plugin provided no \(what) at \(operation); use a newer plugin."
    case .unknownElementType(let code, let operation):
      """
      The plugin returned elements of type \(code) at \(operation), which is not supported; convert \
      them in the program.
      """
    case .wrongDeviceAssignment(let reason):
      "The device assignment does not fit: \(reason)."
    case .wrongDeviceCount(let expected, let found):
      "The program runs on \(expected) devices and got arguments for \(found)."
    case .wrongArgumentCount(let device, let expected, let found):
      "The program takes \(expected) arguments and got \(found) for device \(device)."
    case .wrongArgument(let index, let name, let expected, let found):
      "\(Self.argument(index, name)) must be \(expected) and is \(found)."
    case .wrongArgumentDevice(let index, let name, let expected, let found):
      "\(Self.argument(index, name)) must be on device \(expected) and is on device \(found)."
    case .consumed(let type, let operation):
      """
      A buffer of \(type) was used after \(operation) had taken its memory; use that program's \
      result instead, or do not donate the buffer.
      """
    case .wrongElementType(let expected, let found):
      "A buffer of \(found.rawValue) was read as \(expected.rawValue)."
    case .cacheUnwritable(let path, let reason):
      "\(path) could not be written: \(reason). Check the disk space and permissions."
    }
  }

  private static func argument(_ index: Int, _ name: String?) -> String {
    name.map { "Argument \(index), \($0)," } ?? "Argument \(index)"
  }
}

extension PJRTError.NotAPlugin {
  fileprivate var text: String {
    switch self {
    case .missing: "there is no such file"
    case .notALibrary(let reason): "it cannot be loaded as a shared library (\(reason))"
    case .noEntryPoint: "it has no function GetPjrtApi"
    case .noTable: "its GetPjrtApi returned nothing"
    }
  }
}
