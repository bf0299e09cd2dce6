/// The text chunks of PNG files, in which programs note how a picture was made.
public enum PNGText {
  /// Reads the chunks `tEXt`, `zTXt` and `iTXt` of a file in their order.
  ///
  /// - Throws: `FileError.unreadable`, and `PictureError.damaged` where it is not a PNG file, or is
  ///   truncated or damaged.
  public static func read(_ path: String) throws -> [(key: String, text: String)] {
    try PNGFile(path).texts
  }
}
