import Recipe
import Tensors

extension Mesh: Codable {
  private enum CodingKeys: String, CodingKey { case data, fsdp, tensor }

  /// Reads the axes; those that are absent have one device.
  ///
  /// - Throws: an error that names the key whose value cannot be.
  public init(from decoder: any Decoder) throws {
    let keys = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      data: try keys.value(.data, default: 1, in: 1...1 << 16),
      fsdp: try keys.value(.fsdp, default: 1, in: 1...1 << 16),
      tensor: try keys.value(.tensor, default: 1, in: 1...1 << 16))
  }

  /// Writes the form that is read.
  public func encode(to encoder: any Encoder) throws {
    var keys = encoder.container(keyedBy: CodingKeys.self)
    try keys.encode(data, forKey: .data)
    try keys.encode(fsdp, forKey: .fsdp)
    try keys.encode(tensor, forKey: .tensor)
  }
}
