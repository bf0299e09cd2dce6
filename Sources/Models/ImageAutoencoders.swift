/// The autoencoders of images that a model's folder can hold.
public enum ImageAutoencoders {
  private static let all: [any ImageAutoencoderConfig.Type] = [
    AutoencoderKLConfig.self,
    AutoencoderKLQwenImageConfig.self,
    AutoencoderDCConfig.self,
  ]

  /// The published names of their classes.
  public static var classNames: [String] { all.map { $0.className } }

  /// Reads a `config.json` as the configuration of the class that its `_class_name` names.
  ///
  /// - Throws: `FileError.unreadable`, and `PublishedConfigError` for a file that does not describe a
  ///   supported autoencoder.
  public static func config(from path: String) throws -> any ImageAutoencoderConfig {
    let name = try PublishedConfig.read(PublishedClass.self, from: path).name
    guard let type = all.first(where: { $0.className == name }) else {
      let known = classNames.joined(separator: " or ")
      throw PublishedConfigError(
        path: path,
        reason: "`_class_name` is \(name), and the supported autoencoders are \(known)")
    }
    return try PublishedConfig.read(type, from: path)
  }

  private struct PublishedClass: Decodable {
    let name: String

    enum CodingKeys: String, CodingKey { case name = "_class_name" }
  }
}
