import CPJRT

/// A program, compiled and loaded on its devices.
public final class Executable: Sendable {
  /// The client it runs on.
  public let client: Client
  /// The arguments on each device.
  public let signature: Signature
  /// The devices it runs on, in the order of `execute`'s arguments.
  public let devices: [Device]
  /// The number of results on each device.
  public let resultCount: Int
  /// The memory that one run needs on each device, or nil where the plugin does not report it.
  public let memory: ProgramMemory?

  let handle: Handle

  /// Takes ownership of a plugin's loaded program.
  init(_ handle: Handle, _ signature: Signature, _ client: Client) throws {
    let api = client.api
    do {
      let operation = "describing a program"
      var devices = PJRT_LoadedExecutable_AddressableDevices_Args()
      devices.executable = handle.pointer
      try api.call(\.LoadedExecutable_AddressableDevices, &devices, operation)
      self.devices = try UnsafeBufferPointer(start: devices.devices, count: devices.num_devices)
        .map { try Device($0, api) }
      (resultCount, memory) = try Self.withProgram(handle, api, operation) { program in
        var results = PJRT_Executable_NumOutputs_Args()
        results.executable = program
        try api.call(\.Executable_NumOutputs, &results, operation)
        return (results.num_outputs, try ProgramMemory(program, api))
      }
    } catch {
      Self.destroy(handle, api)
      throw error
    }
    self.client = client
    self.signature = signature
    self.handle = handle
  }

  deinit { Self.destroy(handle, client.api) }

  /// The serialized program, which the same version of the plugin can load on the same kind of
  /// machine.
  public func serialized() throws -> [UInt8] {
    let operation = "serializing a program"
    return try Self.withProgram(handle, client.api, operation) { program in
      var arguments = PJRT_Executable_Serialize_Args()
      arguments.executable = program
      try client.api.call(\.Executable_Serialize, &arguments, operation)
      defer { arguments.serialized_executable_deleter?(arguments.serialized_executable) }
      return [UInt8](
        UnsafeRawBufferPointer(
          start: arguments.serialized_bytes, count: arguments.serialized_bytes_size))
    }
  }

  static func withProgram<Result>(
    _ handle: Handle, _ api: API, _ operation: String, _ body: (OpaquePointer) throws -> Result
  ) throws -> Result {
    var arguments = PJRT_LoadedExecutable_GetExecutable_Args()
    arguments.loaded_executable = handle.pointer
    try api.call(\.LoadedExecutable_GetExecutable, &arguments, operation)
    let program = try Handle(arguments.executable, operation).pointer
    defer {
      var arguments = PJRT_Executable_Destroy_Args()
      arguments.executable = program
      api.release(\.Executable_Destroy, &arguments)
    }
    return try body(program)
  }

  private static func destroy(_ handle: Handle, _ api: API) {
    var arguments = PJRT_LoadedExecutable_Destroy_Args()
    arguments.executable = handle.pointer
    api.release(\.LoadedExecutable_Destroy, &arguments)
  }
}

/// The memory in bytes that one run of a program needs on each device, as planned by the compiler.
public struct ProgramMemory: Hashable, Sendable {
  /// The arguments.
  public let arguments: Int
  /// The results.
  public let results: Int
  /// The bytes of results in the memory of donated arguments.
  public let aliased: Int
  /// The temporaries during the run.
  public let temporaries: Int
  /// The machine code.
  public let code: Int

  /// The peak: arguments, results and temporaries, with shared memory counted once.
  public var total: Int { arguments + results - aliased + temporaries }

  init?(_ program: OpaquePointer, _ api: API) throws {
    var stats = PJRT_Executable_GetCompiledMemoryStats_Args()
    stats.executable = program
    do {
      try api.call(
        \.Executable_GetCompiledMemoryStats, &stats, "asking for a program's memory")
    } catch PJRTError.failure(.unimplemented, _, _) {
      return nil
    }
    arguments = Int(stats.argument_size_in_bytes)
    results = Int(stats.output_size_in_bytes)
    aliased = Int(stats.alias_size_in_bytes)
    temporaries = Int(stats.temp_size_in_bytes)
    code = Int(stats.generated_code_size_in_bytes)
  }
}

extension Client {
  /// Compiles a program.
  ///
  /// - Parameters:
  ///   - program: the StableHLO text of a module with a function `@main`.
  ///   - signature: its arguments on each device, which `execute` checks, because plugins do not.
  /// - Throws: the plugin's error, with line and column where the text is invalid.
  public func compile(
    _ program: String, _ signature: Signature, options: CompileOptions = CompileOptions()
  ) throws -> Executable {
    try options.check(self)
    var options = options
    options.overrides.merge(defaults) { given, _ in given }
    let operation = "compiling a program"
    var program = program
    let handle = try program.withUTF8 { code in
      try "mlir".utf8CString.withUnsafeBufferPointer { format in
        try options.serialized().withUnsafeBytes { options in
          var source = sized(PJRT_Program())
          source.code = code.withMemoryRebound(to: CChar.self, \.baseAddress)
          source.code_size = code.count
          source.format = format.baseAddress
          source.format_size = format.count - 1
          return try withUnsafePointer(to: &source) { source in
            var arguments = PJRT_Client_Compile_Args()
            arguments.client = self.handle.pointer
            arguments.program = source
            arguments.compile_options = options.assumingMemoryBound(to: CChar.self).baseAddress
            arguments.compile_options_size = options.count
            try exclusively { try api.call(\.Client_Compile, &arguments, operation) }
            return try Handle(arguments.executable, operation)
          }
        }
      }
    }
    return try Executable(handle, signature, self)
  }

  /// Loads a serialized program.
  ///
  /// - Throws: the plugin's error where it is damaged or of another version.
  public func load(_ serialized: [UInt8], _ signature: Signature) throws -> Executable {
    let operation = "loading a program"
    let handle = try serialized.withUnsafeBytes { bytes in
      var arguments = PJRT_Executable_DeserializeAndLoad_Args()
      arguments.client = self.handle.pointer
      arguments.serialized_executable = bytes.assumingMemoryBound(to: CChar.self).baseAddress
      arguments.serialized_executable_size = bytes.count
      try exclusively { try api.call(\.Executable_DeserializeAndLoad, &arguments, operation) }
      return try Handle(arguments.loaded_executable, operation)
    }
    return try Executable(handle, signature, self)
  }
}
