/// How a program is compiled and distributed over devices.
public struct CompileOptions: Hashable, Sendable {
  /// The number of replicas.
  public var replicas = 1
  /// The number of devices that each replica is partitioned over.
  public var partitions = 1
  /// The ids of the devices, `[replica][partition]`; nil for the first ones in order.
  public var deviceAssignment: [[Int]]?
  /// Whether the text's shardings are in the `sdy` dialect.
  public var usesShardy = false
  /// Whether the partitioner may choose the shardings of outputs that the text leaves open.
  public var propagatesShardingToOutputs = false
  /// XLA's options for this program by name, such as `xla_cpu_enable_fast_math`; an unknown name is
  /// an error.
  public var overrides: [String: Override] = [:]

  /// A value of one of XLA's options, which must have the option's type.
  public enum Override: Hashable, Sendable {
    /// A string, or the name of an enumeration's case.
    case string(String)
    /// A boolean.
    case bool(Bool)
    /// An integer.
    case integer(Int64)
    /// A floating-point number.
    case double(Double)
  }

  /// Makes options for a program on one device.
  public init() {}

  /// Options of a program that is partitioned over some devices by Shardy.
  public static func partitioned(over count: Int) -> CompileOptions {
    var options = CompileOptions()
    options.partitions = count
    options.usesShardy = true
    return options
  }

  /// The options as a `CompileOptionsProto`; equal options give equal bytes.
  package func serialized() -> [UInt8] {
    var build = ProtobufWriter()
    build.write(4, replicas)
    build.write(5, partitions)
    if partitions > 1 { build.write(6, true) }
    if let deviceAssignment {
      var assignment = ProtobufWriter()
      assignment.write(1, replicas)
      assignment.write(2, partitions)
      for partition in 0..<partitions {
        var computation = ProtobufWriter()
        computation.write(1, packed: deviceAssignment.map { $0[partition] })
        assignment.write(3, computation)
      }
      build.write(9, assignment)
    }
    if propagatesShardingToOutputs { build.write(12, packed: [1]) }
    if usesShardy { build.write(19, true) }
    var options = ProtobufWriter()
    options.write(3, build)
    for (name, value) in overrides.sorted(by: { $0.key < $1.key }) {
      var field = ProtobufWriter()
      switch value {
      case .string(let string): field.write(1, string)
      case .bool(let flag): field.write(2, flag)
      case .integer(let number): field.write(3, Int(number))
      case .double(let number): field.write(4, number)
      }
      var entry = ProtobufWriter()
      entry.write(1, name)
      entry.write(2, field)
      options.write(7, entry)
    }
    return options.bytes
  }

  /// Checks that the options match a client's devices, which plugins do not.
  ///
  /// - Throws: `PJRTError.wrongDeviceAssignment`.
  package func check(_ client: Client) throws {
    precondition(replicas > 0 && partitions > 0, "a program needs a replica and a partition")
    func fail(_ reason: String) -> PJRTError { .wrongDeviceAssignment(reason: reason) }
    let count = replicas * partitions
    guard count <= client.devices.count else {
      throw fail(
        "\(replicas) × \(partitions) devices are asked for and the client has "
          + "\(client.devices.count)")
    }
    guard let deviceAssignment else { return }
    guard deviceAssignment.count == replicas,
      deviceAssignment.allSatisfy({ $0.count == partitions })
    else { throw fail("it is not a table of \(replicas) × \(partitions)") }
    let ids = deviceAssignment.joined()
    guard Set(ids).count == count else { throw fail("a device is named twice") }
    let known = Set(client.devices.map(\.id))
    if let unknown = ids.first(where: { !known.contains($0) }) {
      throw fail("the client has no device \(unknown)")
    }
  }
}
