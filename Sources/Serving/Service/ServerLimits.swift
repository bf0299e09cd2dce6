/// What a request may ask for.
public struct ServerLimits: Hashable, Sendable {
  /// The most bytes of a JSON body.
  public var jsonBytes = 64 << 20
  /// The most bytes of an upload.
  public var uploadBytes = 64 << 20
  /// The most pixels of an uploaded image.
  public var imagePixels = 32 << 20
  /// The most characters of a prompt.
  public var promptLength = 32_000
  /// The most pixels of a picture.
  public var pixels = 4 << 20
  /// The most pictures of a request.
  public var pictures = 10
  /// The most steps.
  public var steps = 200
  /// The most pictures that wait.
  public var queue = 256
  /// The most seconds until a request is answered.
  public var seconds = 600.0
  /// The most seconds until a body has arrived.
  public var bodySeconds = 60.0
  /// The most references of an edit.
  public var images = 16

  /// Makes the default limits.
  public init() {}
}
