import CPJRT

extension Executable {
  /// Runs the program on its one device, waits, and returns the results in the program's order.
  ///
  /// Donated arguments cannot be used afterwards.
  ///
  /// - Throws: `PJRTError` where number, type or device of an argument is wrong, before anything
  ///   runs.
  public func execute(_ arguments: [Buffer]) throws -> [Buffer] {
    try execute([arguments])[0]
  }

  /// Runs the program on all its devices, waits, and returns each device's results.
  ///
  /// - Parameter arguments: `[device][argument]` in the order of `devices`; each device gets its own
  ///   shard.
  /// - Throws: as `start`; where the run fails, donated arguments that were not consumed remain
  ///   usable.
  @_disfavoredOverload
  public func execute(_ arguments: [[Buffer]]) throws -> [[Buffer]] {
    try check(arguments)
    let taken = try take(arguments)
    return try restoring(taken, arguments) {
      let (results, completion) = try run(handles(arguments, taken))
      try completion.wait()
      return results
    }
  }

  /// Starts the program on all its devices without waiting for it.
  ///
  /// The results can be passed to other programs, and reading them waits for them. Donated
  /// arguments cannot be used afterwards, even where the run fails.
  ///
  /// - Parameter arguments: `[device][argument]` in the order of `devices`; each device gets its own
  ///   shard.
  /// - Returns: each device's results, and the completion of the run.
  /// - Throws: `PJRTError` where number, type or device of an argument is wrong, before anything runs,
  ///   and where the plugin cannot start the program. Later errors are thrown by `Completion.wait`.
  public func start(
    _ arguments: [[Buffer]]
  ) throws -> (results: [[Buffer]], completion: Completion) {
    try check(arguments)
    let taken = try take(arguments)
    return try restoring(taken, arguments) { try run(handles(arguments, taken)) }
  }

  private func handles(
    _ arguments: [[Buffer]], _ taken: [ObjectIdentifier: BufferHandle]
  ) throws -> [[BufferHandle]] {
    try arguments.map { row in
      try row.enumerated().map { index, buffer in
        signature.donated.contains(index) ? taken[ObjectIdentifier(buffer)]! : try buffer.live()
      }
    }
  }

  /// Restores donated arguments that a failed run did not consume.
  private func restoring<Result>(
    _ taken: [ObjectIdentifier: BufferHandle], _ arguments: [[Buffer]], _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch {
      for buffer in arguments.joined() {
        guard let handle = taken[ObjectIdentifier(buffer)], !handle.isDeleted else { continue }
        buffer.restore(handle)
      }
      throw error
    }
  }

  private static var operation: String { "running a program" }

  private func check(_ arguments: [[Buffer]]) throws {
    guard arguments.count == devices.count else {
      throw PJRTError.wrongDeviceCount(expected: devices.count, found: arguments.count)
    }
    for (device, row) in zip(devices, arguments) {
      guard row.count == signature.arguments.count else {
        throw PJRTError.wrongArgumentCount(
          device: device.id, expected: signature.arguments.count, found: row.count)
      }
      for (index, (argument, buffer)) in zip(signature.arguments, row).enumerated() {
        guard buffer.type == argument.type else {
          throw PJRTError.wrongArgument(
            index: index, name: argument.name, expected: argument.type, found: buffer.type)
        }
        guard buffer.device == device else {
          throw PJRTError.wrongArgumentDevice(
            index: index, name: argument.name, expected: device.id, found: buffer.device.id)
        }
      }
    }
  }

  /// Takes ownership of the donated buffers, of all or none.
  private func take(_ arguments: [[Buffer]]) throws -> [ObjectIdentifier: BufferHandle] {
    var taken: [ObjectIdentifier: BufferHandle] = [:]
    for row in arguments {
      for index in signature.donated {
        do {
          taken[ObjectIdentifier(row[index])] = try row[index].take(by: Self.operation)
        } catch {
          for buffer in arguments.joined() {
            if let handle = taken[ObjectIdentifier(buffer)] { buffer.restore(handle) }
          }
          throw error
        }
      }
    }
    return taken
  }

  private func run(
    _ arguments: [[BufferHandle]]
  ) throws -> (results: [[Buffer]], completion: Completion) {
    let inputs = PointerTable(arguments.map { $0.map(\.pointer) })
    let outputs = PointerTable(
      [[OpaquePointer?]](
        repeating: [OpaquePointer?](repeating: nil, count: resultCount), count: devices.count))
    let events = PointerTable([[OpaquePointer?](repeating: nil, count: devices.count)])
    try withExtendedLifetime((arguments, inputs, outputs, events)) {
      var call = PJRT_LoadedExecutable_Execute_Args()
      call.executable = handle.pointer
      call.argument_lists = inputs.constantRows
      call.num_devices = devices.count
      call.num_args = signature.arguments.count
      call.output_lists = outputs.rows
      call.device_complete_events = events.rows[0]
      var options = sized(PJRT_ExecuteOptions())
      try withUnsafeMutablePointer(to: &options) { options in
        call.options = options
        try client.exclusively {
          try client.api.call(\.LoadedExecutable_Execute, &call, Self.operation)
        }
      }
    }
    // All events and results are taken over before the first error is thrown.
    let completion = Completion(events.content[0], client.api, Self.operation)
    let results = zip(devices, outputs.content).map { device, row in
      row.map { pointer in
        Result {
          try Buffer(
            BufferHandle(pointer, client, Self.operation), on: device, client, Self.operation)
        }
      }
    }
    return (try results.map { try $0.map { try $0.get() } }, completion)
  }
}

/// A table of pointers at a fixed address, for a plugin to read and write.
private final class PointerTable {
  typealias Row = UnsafeMutablePointer<OpaquePointer?>

  private let cells: Row
  private let starts: UnsafeMutablePointer<Row?>
  private let counts: [Int]

  init(_ content: [[OpaquePointer?]]) {
    counts = content.map(\.count)
    cells = .allocate(capacity: max(counts.reduce(0, +), 1))
    starts = .allocate(capacity: max(counts.count, 1))
    var start = cells
    for (index, row) in content.enumerated() {
      start.initialize(from: row, count: row.count)
      (starts + index).initialize(to: start)
      start += row.count
    }
  }

  /// The rows, for writing.
  var rows: UnsafePointer<Row?> { UnsafePointer(starts) }

  /// The rows, for reading.
  var constantRows: UnsafePointer<UnsafePointer<OpaquePointer?>?> {
    // The two pointer types differ only in mutability.
    UnsafeRawPointer(starts).assumingMemoryBound(to: UnsafePointer<OpaquePointer?>?.self)
  }

  /// The current values.
  var content: [[OpaquePointer?]] {
    counts.enumerated().map { row, count in
      Array(UnsafeBufferPointer(start: starts[row], count: count))
    }
  }

  deinit {
    cells.deallocate()
    starts.deallocate()
  }
}
