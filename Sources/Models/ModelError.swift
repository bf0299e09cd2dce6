/// What can be wrong with the inputs of a network.
public enum ModelError: Error, Equatable, CustomStringConvertible {
  /// A prompt has another number of image tokens than images.
  case imageTokens(found: Int, images: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .imageTokens(let found, let images):
      "The prompt has \(found) image token\(found == 1 ? "" : "s"), and \(images) "
        + "image\(images == 1 ? " is" : "s are") given. Write one token for each image, and none in "
        + "the text."
    }
  }
}
