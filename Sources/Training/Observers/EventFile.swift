import Files
import Foundation
import PJRT
import Pictures

/// A file of events, as TensorBoard reads them: TFRecords, each an `Event` message of
/// `tensorflow/core/util/event.proto`.
///
/// A record is the length of the message in 8 bytes, its masked CRC-32C, the message, and the
/// message's masked CRC-32C.
final class EventFile {
  /// The path of the file.
  let path: String
  private let handle: FileHandle

  /// The ending of the names of files that this program wrote.
  static let ending = ".twinflow"
  /// The start of the names that TensorBoard looks for.
  static let beginning = "events.out.tfevents."

  /// What a value of an event is.
  enum Value {
    case number(Float)
    case picture(Picture)
  }

  /// Creates a file in a folder.
  ///
  /// - Parameters:
  ///   - step: the steps made before. What other files of the folder have of later steps is then
  ///     ignored by TensorBoard.
  ///   - time: seconds since 1970.
  /// - Throws: `FileError.unwritable`.
  init(in folder: String, after step: Int, time: Double) throws(FileError) {
    let start = Int(time * 1e6)
    path = "\(folder)/\(Self.beginning)\(start).\(getpid())\(Self.ending)"
    let file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0o666)
    guard file >= 0 else {
      throw .unwritable(path: path, reason: String(cString: strerror(errno)))
    }
    handle = FileHandle(fileDescriptor: file, closeOnDealloc: true)
    try append(Self.event(time) { $0.write(3, "brain.Event:2") })
    guard step > 0 else { return }
    var session = ProtobufWriter()
    // SessionLog.START
    session.write(1, 1)
    try append(
      Self.event(time) { event in
        event.write(2, step + 1)
        event.write(7, session)
      })
  }

  /// Appends the values of a step.
  ///
  /// - Throws: `FileError.unwritable`.
  func write(_ values: [(tag: String, value: Value)], step: Int, time: Double) throws(FileError) {
    var summary = ProtobufWriter()
    for (tag, value) in values { summary.write(1, Self.message(tag, value)) }
    try append(
      Self.event(time) { event in
        event.write(2, step)
        event.write(5, summary)
      })
  }

  private static func event(
    _ time: Double, _ fill: (inout ProtobufWriter) -> Void
  ) -> [UInt8] {
    var event = ProtobufWriter()
    event.write(1, time)
    fill(&event)
    return event.bytes
  }

  private static func message(_ tag: String, _ value: Value) -> ProtobufWriter {
    var message = ProtobufWriter()
    message.write(1, tag)
    switch value {
    case .number(let number): message.write(2, number)
    case .picture(let picture):
      var image = ProtobufWriter()
      image.write(1, picture.height)
      image.write(2, picture.width)
      image.write(3, picture.channels)
      image.write(4, Array(picture.png()))
      message.write(4, image)
    }
    return message
  }

  private func append(_ message: [UInt8]) throws(FileError) {
    let bytes = Self.record(message)
    do {
      try handle.write(contentsOf: Data(bytes))
    } catch {
      throw .unwritable(path: path, reason: error.localizedDescription)
    }
  }

  /// A message framed as a record.
  static func record(_ message: [UInt8]) -> [UInt8] {
    let length = littleEndian(UInt64(message.count))
    return length + littleEndian(CRC32C.masked(length)) + message
      + littleEndian(CRC32C.masked(message))
  }

  private static func littleEndian(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }
}
