/// A grid of devices with named axes that one program is spread over.
///
/// Devices are numbered with the tensor axis fastest, then fsdp, then data: neighbors, which have
/// the fastest links, share each matrix multiplication.
public struct Mesh: Hashable, Sendable {
  /// The number of replicas of the weights; each works on different samples.
  public var data: Int
  /// The number of devices that weights are sharded over and that work on different samples; each
  /// weight is gathered where it is used (Zhao and others, "PyTorch FSDP", 2023).
  public var fsdp: Int
  /// The number of devices that the features of each matrix multiplication are sharded over
  /// (Shoeybi and others, "Megatron-LM", 2019).
  public var tensor: Int

  /// Makes a mesh; one device by default.
  public init(data: Int = 1, fsdp: Int = 1, tensor: Int = 1) {
    precondition(data > 0 && fsdp > 0 && tensor > 0, "a mesh's axes have at least one device")
    (self.data, self.fsdp, self.tensor) = (data, fsdp, tensor)
  }

  /// The axes by name.
  public enum Axis: String, Sendable, CaseIterable {
    case data, fsdp, tensor
  }

  /// The size of an axis.
  public subscript(axis: Axis) -> Int {
    switch axis {
    case .data: data
    case .fsdp: fsdp
    case .tensor: tensor
    }
  }

  /// The number of devices.
  public var count: Int { data * fsdp * tensor }

  /// The number of shards of a batch.
  public var batchShards: Int { data * fsdp }

  /// A device's index along an axis.
  func place(of device: Int, on axis: Axis) -> Int {
    switch axis {
    case .tensor: device % tensor
    case .fsdp: device / tensor % fsdp
    case .data: device / (tensor * fsdp)
    }
  }

  /// The mesh in the text of programs.
  var text: String {
    let axes = Axis.allCases.map { "\"\($0.rawValue)\"=\(self[$0])" }.joined(separator: ", ")
    return "sdy.mesh @mesh = <[\(axes)]>"
  }
}

extension Mesh: CustomStringConvertible {
  /// The axes with more than one device, `data 2 × tensor 4`.
  public var description: String {
    let axes = Axis.allCases.filter { self[$0] > 1 }.map { "\($0.rawValue) \(self[$0])" }
    return axes.isEmpty ? "one device" : axes.joined(separator: " × ")
  }
}
