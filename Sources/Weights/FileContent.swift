/// What a file holds that was taken for weights.
enum FileContent {
  /// What is often found in place of weights; nil where nothing of that kind is.
  static func strange(_ bytes: UnsafeRawBufferPointer) -> String? {
    let start = bytes.prefix(256).drop { " \t\r\n".utf8.contains($0) }
    let text = String(decoding: start, as: UTF8.self).lowercased()
    if text.hasPrefix("version https://git-lfs") {
      return
        "it is a Git LFS pointer, which names the file and is not it (`git lfs pull` gets the file)"
    }
    if text.hasPrefix("<!doctype") || text.hasPrefix("<html") || text.hasPrefix("<?xml") {
      return "it is a web page, such as the message of a server that refused the download"
    }
    if text.hasPrefix("{\"error\"") || text.hasPrefix("{\"message\"") {
      return "it is the message of a server that refused the download"
    }
    if bytes.starts(with: [0x80, 2]) {
      return "it is a file of PyTorch's own format, which can run code (convert it to safetensors)"
    }
    return nil
  }
}
