import Foundation
import Tensors

extension SafeTensors {
  /// Writes arrays, whole or not at all: to a temporary file beside the target, which takes its
  /// place once all is on the disk. Equal arrays give equal files.
  ///
  /// The data begin at a multiple of 64 bytes, so that devices can use a mapped file as it is.
  ///
  /// - Parameters:
  ///   - arrays: types and dense row-major bytes by name, in the file's order.
  ///   - metadata: texts about the file.
  /// - Throws: `WeightsError.unwritable`; a file that was there stays as it was.
  public static func write(
    _ arrays: Named<(type: TensorType, bytes: [UInt8])>, metadata: [String: String] = [:],
    to path: String
  ) throws(WeightsError) {
    var fields: [String: Any] = metadata.isEmpty ? [:] : ["__metadata__": metadata]
    var end = 0
    for (name, array) in arrays.pairs {
      precondition(array.bytes.count == array.type.byteCount, "\(name) has a wrong byte count")
      fields[name] =
        [
          "dtype": self.name(of: array.type.dtype), "shape": array.type.shape.sizes,
          "data_offsets": [end, end + array.bytes.count],
        ] as [String: Any]
      end += array.bytes.count
    }
    var header: Data
    do {
      header = try JSONSerialization.data(
        withJSONObject: fields, options: [.sortedKeys, .withoutEscapingSlashes])
    } catch {
      throw .unwritable(path: path, reason: "its header is no JSON: \(error)")
    }
    header += Data(repeating: UInt8(ascii: " "), count: (64 - (8 + header.count) % 64) % 64)
    let length = withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) }
    try AtomicFile.write([length, Array(header)] + arrays.values.map(\.bytes), to: path)
  }
}

/// Files that appear whole or not at all, also when the power fails.
enum AtomicFile {
  static func write(_ parts: [[UInt8]], to path: String) throws(WeightsError) {
    let folder = (path as NSString).deletingLastPathComponent
    let temporary = "\(path).\(getpid()).partial"
    func fail() -> WeightsError {
      let reason = String(cString: strerror(errno))
      unlink(temporary)
      return .unwritable(path: path, reason: reason)
    }
    var status = stat()
    // Renaming would put a file in the place of a device such as /dev/null.
    if stat(path, &status) == 0, status.st_mode & S_IFMT != S_IFREG {
      throw .unwritable(path: path, reason: "it is no file")
    }
    let file = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o644)
    guard file >= 0 else { throw fail() }
    for part in parts {
      let done = part.withUnsafeBytes { bytes in
        var rest = bytes[...]
        while !rest.isEmpty {
          let count = Glibc.write(file, rest.baseAddress(of: bytes), rest.count)
          if count < 0 {
            if errno == EINTR { continue }
            return false
          }
          rest = rest.dropFirst(count)
        }
        return true
      }
      guard done else {
        let error = fail()
        close(file)
        throw error
      }
    }
    guard fsync(file) == 0 else {
      let error = fail()
      close(file)
      throw error
    }
    guard close(file) == 0, rename(temporary, path) == 0 else { throw fail() }
    // The new name is on the disk once the folder is; some file systems cannot say so.
    let directory = open(folder.isEmpty ? "." : folder, O_RDONLY | O_CLOEXEC)
    if directory >= 0 {
      fsync(directory)
      close(directory)
    }
  }
}

extension Slice<UnsafeRawBufferPointer> {
  fileprivate func baseAddress(of whole: UnsafeRawBufferPointer) -> UnsafeRawPointer? {
    whole.baseAddress.map { $0 + startIndex }
  }
}
