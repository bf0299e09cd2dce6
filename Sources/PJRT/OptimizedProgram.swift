import CPJRT

/// A program after the compiler's optimizations, read from XLA's HloModuleProto.
public struct OptimizedProgram: Sendable {
  /// An instruction that a device runs.
  public struct Instruction: Sendable {
    /// XLA's name of the operation, such as `dot` or `all-reduce`.
    public var opcode = ""
    /// The target of a custom call.
    public var target = ""
    /// The shapes of the results, several for a tuple.
    public fileprivate(set) var shapes: [[Int]] = []
    /// The bytes of the results.
    public fileprivate(set) var bytes = 0
    /// The shapes of the operands.
    public fileprivate(set) var operands: [[[Int]]] = []
    /// The contracted axes of a dot's first operand.
    public fileprivate(set) var contracted: [Int] = []
    /// The number of times that a device runs it in one run of the program.
    public fileprivate(set) var count = 1

    fileprivate var id = 0
    fileprivate var operandIDs: [Int] = []
    fileprivate var called: [Int] = []
    fileprivate var trips = 1
  }

  /// The instructions that run, those inside loops with their number of iterations.
  public let instructions: [Instruction]

  init?(_ module: [UInt8]) {
    guard var fields = ProtobufReader(module[...]).fields() else { return nil }
    // The module may be wrapped together with its configuration.
    if !fields.contains(where: { $0.number == 6 }), case .content(let inner)? = fields.first?.value,
      let module = ProtobufReader(inner).fields()
    {
      fields = module
    }
    var computations: [Int: [Instruction]] = [:]
    var entry: Int?
    for field in fields {
      switch (field.number, field.value) {
      case (3, .content(let bytes)):
        guard let (id, list) = Self.computation(bytes) else { return nil }
        computations[id] = list
      case (6, .number(let id)): entry = Int(truncatingIfNeeded: id)
      default: break
      }
    }
    guard let entry else { return nil }
    var result: [Instruction] = []
    var stack = [(entry, 1)]
    while let (id, count) = stack.popLast() {
      for var instruction in computations[id] ?? [] {
        instruction.count = count
        for called in instruction.called { stack.append((called, count * instruction.trips)) }
        result.append(instruction)
      }
    }
    instructions = result
  }

  private static func computation(_ bytes: ArraySlice<UInt8>) -> (Int, [Instruction])? {
    guard let fields = ProtobufReader(bytes).fields() else { return nil }
    var (id, list): (Int, [Instruction]) = (0, [])
    for field in fields {
      switch (field.number, field.value) {
      case (2, .content(let bytes)):
        guard let instruction = instruction(bytes) else { return nil }
        list.append(instruction)
      case (5, .number(let number)): id = Int(truncatingIfNeeded: number)
      default: break
      }
    }
    let shapes = Dictionary(
      list.map { ($0.id, $0.shapes) }, uniquingKeysWith: { first, _ in first })
    for i in list.indices { list[i].operands = list[i].operandIDs.map { shapes[$0] ?? [] } }
    return (id, list)
  }

  private static func instruction(_ bytes: ArraySlice<UInt8>) -> Instruction? {
    guard let fields = ProtobufReader(bytes).fields() else { return nil }
    var result = Instruction()
    for field in fields {
      switch (field.number, field.value) {
      case (2, .content(let text)): result.opcode = String(decoding: text, as: UTF8.self)
      case (3, .content(let shape)): add(shape, to: &result)
      case (28, .content(let text)): result.target = String(decoding: text, as: UTF8.self)
      case (30, .content(let dimensions)):
        for field in ProtobufReader(dimensions).fields() ?? [] where field.number == 1 {
          result.contracted += ProtobufReader.numbers(field.value)
        }
      case (35, .number(let id)): result.id = Int(truncatingIfNeeded: id)
      case (36, let ids): result.operandIDs += ProtobufReader.numbers(ids)
      case (38, let ids): result.called += ProtobufReader.numbers(ids)
      case (43, .content(let config)): result.trips = trips(config)
      default: break
      }
    }
    if result.opcode != "while" { result.trips = 1 }
    return result
  }

  /// The number of iterations that the compiler determined for a loop:
  /// `{"known_trip_count":{"n":"12"}`.
  private static func trips(_ config: ArraySlice<UInt8>) -> Int {
    let text = String(decoding: config, as: UTF8.self)
    guard let key = text.firstRange(of: "\"known_trip_count\""),
      let digits = text[key.upperBound...].firstMatch(of: /[0-9]+/)
    else { return 1 }
    return Int(digits.output) ?? 1
  }

  private static func add(_ shape: ArraySlice<UInt8>, to result: inout Instruction) {
    var (sizes, width, isTuple): ([Int], Int, Bool) = ([], 0, false)
    for field in ProtobufReader(shape).fields() ?? [] {
      switch (field.number, field.value) {
      case (2, .number(let type)): width = widths[Int(truncatingIfNeeded: type)] ?? 0
      case (3, let value): sizes += ProtobufReader.numbers(value)
      case (4, .content(let element)):
        isTuple = true
        add(element, to: &result)
      default: break
      }
    }
    guard !isTuple else { return }
    result.shapes.append(sizes)
    result.bytes += sizes.reduce(width, *)
  }

  /// The bytes of XLA's element types by their numbers.
  private static let widths = [
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 2, 8: 4, 9: 8, 10: 2, 11: 4, 12: 8, 15: 8, 16: 2, 18: 16,
  ]
}

extension Executable {
  /// The program after the compiler's optimizations, nil where the plugin does not provide it.
  public func optimizedProgram() throws -> OptimizedProgram? {
    let operation = "asking for a compiled program"
    let bytes: [UInt8]? = try Self.withProgram(handle, client.api, operation) { executable in
      var program = sized(PJRT_Program())
      return try withUnsafeMutablePointer(to: &program) { program in
        var arguments = PJRT_Executable_OptimizedProgram_Args()
        arguments.executable = executable
        arguments.program = program
        do {
          try client.api.call(\.Executable_OptimizedProgram, &arguments, operation)
        } catch PJRTError.failure(.unimplemented, _, _) {
          return nil
        }
        let count = program.pointee.code_size
        return try [UInt8](unsafeUninitializedCapacity: count) { memory, initialized in
          program.pointee.code = UnsafeRawPointer(memory.baseAddress!)
            .assumingMemoryBound(to: CChar.self)
          try client.api.call(\.Executable_OptimizedProgram, &arguments, operation)
          initialized = count
        }
      }
    }
    return bytes.flatMap { OptimizedProgram($0) }
  }
}
