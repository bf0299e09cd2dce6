import Foundation
import Synchronization

/// What several processes print, in lines that bear the processes' numbers.
final class MarkedOutput: Sendable {
  private let printing = DispatchGroup()
  private let output = Mutex(Stream())
  private let errors = Mutex(Stream())
  private let progress = Atomic<Int>(0)
  private let writing = Atomic<Int>(0)

  private struct Stream {
    /// Why it has taken no more.
    var failure: Int32?

    /// Writes a line as a whole. A reader who has gone is no failure.
    mutating func write(_ line: Data, to descriptor: Int32) {
      let code = line.withUnsafeBytes { MarkedOutput.write($0, to: descriptor) }
      if code != 0, code != EPIPE { failure = failure ?? code }
    }
  }

  /// A pipe whose lines go on to standard output (1) or error (2).
  func pipe(_ rank: Int, to descriptor: Int32) -> Pipe {
    let pipe = Pipe()
    let rest = Mutex(Data())
    printing.enter()
    pipe.fileHandleForReading.readabilityHandler = { [self] source in
      let data = source.availableData
      let lines = rest.withLock { Self.lines(of: data, after: &$0) }
      for line in lines { write(Data("[\(rank)] ".utf8) + line, to: descriptor) }
      progress.wrappingAdd(1, ordering: .relaxed)
      if data.isEmpty {
        source.readabilityHandler = nil
        printing.leave()
      }
    }
    return pipe
  }

  /// Waits until all is written, as long as something moves or a reader takes its time.
  ///
  /// - Parameter stopping: ends the wait for a reader.
  /// - Returns: why something is lost that was meant for standard output.
  func finish(stopping: () -> Bool) -> String? {
    var seen = -1
    while printing.wait(timeout: .now() + 2) == .timedOut {
      let now = progress.load(ordering: .relaxed)
      // A program that a process has left behind may hold its pipe open.
      if now == seen, writing.load(ordering: .relaxed) == 0 || stopping() { break }
      seen = now
    }
    // A write that nobody waits for any more may hold the lock.
    return output.withLockIfAvailable { $0.failure.map { String(cString: strerror($0)) } } ?? nil
  }

  /// Takes the whole lines from what has come; the end of the data (no bytes) ends the last one.
  private static func lines(of data: Data, after rest: inout Data) -> [Data] {
    rest += data
    var lines: [Data] = []
    while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
      lines.append(rest[...end])
      rest = Data(rest[rest.index(after: end)...])
    }
    if data.isEmpty, !rest.isEmpty {
      lines.append(rest + Data("\n".utf8))
      rest = Data()
    }
    return lines
  }

  private func write(_ line: Data, to descriptor: Int32) {
    writing.wrappingAdd(1, ordering: .relaxed)
    defer { writing.wrappingSubtract(1, ordering: .relaxed) }
    if descriptor == 1 {
      output.withLock { $0.write(line, to: 1) }
    } else {
      errors.withLock { $0.write(line, to: 2) }
    }
  }

  /// Writes bytes to their end.
  ///
  /// - Returns: the code of the error, 0 for none.
  private static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> Int32 {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno == EAGAIN {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        poll(&state, 1, 1000)
      } else if errno != EINTR {
        return errno
      }
    }
    return 0
  }
}
